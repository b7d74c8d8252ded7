"""Whether packages import, each in a process of its own: a crash there is a finding here."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from edgekd.doctor.finding import Finding

__all__ = ["try_packages"]


def try_packages(ability: str, modules: Sequence[str], extra: str, *, needed: bool) -> Finding:
    """Import modules.

    Args:
        ability: What they are for; see `Finding`.
        modules: All of them are needed.
        extra: The extra that brings them.
        needed: See `Finding`.
    """
    versions = []
    for module in modules:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE.format(module=module)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            detail = f"{module} does not import ({said}); pip install 'edgekd[{extra}]'"
            return Finding(ability, False, needed, detail, module.split(".")[0], extra)
        versions.append(f"{module.split('.')[0]} {done.stdout.strip().splitlines()[-1]}")
    return Finding(ability, True, needed, ", ".join(versions), "", extra)


_PROBE = """
import importlib, importlib.metadata
from edgekd.runtime._telemetry import silence
silence()
importlib.import_module("{module}")
top = "{module}".split(".")[0]
names = importlib.metadata.packages_distributions().get(top, [top])
try:
    print(importlib.metadata.version(names[0]))
except importlib.metadata.PackageNotFoundError:  # one of the system's may not be of pip
    print(importlib.import_module(top).__version__)
"""
