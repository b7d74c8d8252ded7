"""Code that runs in a fork: `python -m forked_code CODE`."""

from __future__ import annotations

import os
import sys
import threading

from edgekd.lower.jobs.forked import ForkedProcess, fork

IMPORTED = "colorsys"  # for one that takes long to import


def start(code: str, *imports: str) -> ForkedProcess:
    """Start the code in a fork of a process that has imported modules."""
    return fork("forked_code", code, imports or (IMPORTED,))


def printed(code: str, *imports: str) -> str:
    """What the code prints; it must end well."""
    with start(code, *imports) as process:
        text = process.stdout.read().decode()
    assert process.wait() == 0, text
    return text.strip()


if __name__ == "__main__":
    before = set(sys.modules)
    exec(sys.argv[1], globals() | {"os": os, "threading": threading, "before": before})
