"""How the commands talk: progress and errors on stderr, results and JSON on stdout."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgekd.errors import EdgekdError

__all__ = ["emit_json", "exit_code_of", "publish", "report_error", "say", "speaks", "ticker"]


def speaks() -> bool:
    """Whether this process speaks for its command, which Lightning starts once for each device."""
    return os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) == "0"


def say(line: str) -> None:
    """One line of progress."""
    if speaks():
        print(line, file=sys.stderr, flush=True)


def report_error(error: EdgekdError) -> None:
    """One line of what is wrong and one of what to do."""
    print(f"error: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"       {error.hint}", file=sys.stderr)


def emit_json(value: Any, out: Path | None = None) -> None:
    """`value` as indented JSON to the file `out`, or to stdout alone."""
    from edgekd.files import pretty_json, write_whole

    text = pretty_json(value)
    if out is None:
        sys.stdout.write(text.decode())
    else:
        write_whole(out, text)


def publish(text: str, value: Any, *, markdown: Path | None, json: Path | None) -> None:
    """Print a table, and write it and what it is made of to the files that were asked for."""
    from edgekd.files import write_whole

    print(text)
    if markdown is not None:
        write_whole(markdown, text if text.endswith("\n") else f"{text}\n")
    if json is not None:
        emit_json(value, json)


def exit_code_of(work: Callable[[], int | None]) -> int:
    """The exit code of a command; a mistake of the user's is told in two lines."""
    try:
        return work() or 0
    except EdgekdError as error:
        report_error(error)
        return error.exit_code


def ticker(title: str) -> Callable[[int, int], None]:
    """A bar on a terminal, one line in ten per cent steps elsewhere."""
    last = -1

    def tick(done: int, total: int) -> None:
        nonlocal last
        tenth = 10 * done // total
        if not speaks() or tenth == last or (not sys.stderr.isatty() and done < total):
            return
        last = tenth
        end = "\n" if done == total else "\r"
        print(f"{title}: {done}/{total}", end=end, file=sys.stderr, flush=True)

    return tick
