"""Where the progress of a command goes: stderr unless it is quiet, and a log file, if any."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from edgekd.errors import EdgekdError, InputError, StoppedError

if TYPE_CHECKING:
    from edgekd.distill.training.progress import ProgressOutput

__all__ = ["is_quiet", "log_line", "output_of", "stamped", "training_output"]


@dataclass
class _Output:
    quiet: bool = False
    log: TextIO | None = None


_current = _Output()


@contextmanager
def output_of(quiet: bool, log: Path | None) -> Iterator[None]:
    """Keep progress from stderr within the block, and append all of it to a log with its times.

    An error, or the signal that ended the block, is logged as well.

    Args:
        quiet: Whether stderr has errors alone.
        log: The log file; None for none.

    Raises:
        InputError: The log cannot be written.
    """
    with contextlib.ExitStack() as stack:
        if log is not None:
            _current.log = stack.enter_context(_opened(log))
        _current.quiet = quiet
        try:
            yield
        except (EdgekdError, StoppedError) as error:
            log_line(f"error: {error.message}" if isinstance(error, EdgekdError) else error.message)
            raise
        except KeyboardInterrupt:
            log_line("interrupted")
            raise
        finally:
            _current.log, _current.quiet = None, False


def _opened(log: Path) -> TextIO:
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        return log.open("a", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        message = f"cannot write {log}: {error.strerror}"
        raise InputError(message, "choose another place for the log") from error


def is_quiet() -> bool:
    """Whether progress is kept from stderr."""
    return _current.quiet


def log_line(line: str) -> None:
    """Append a line with date and time to the log, if there is one."""
    if _current.log is None:
        return
    now = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    with contextlib.suppress(OSError):  # a full disk must not end a training that takes hours
        print(now, line.strip(), file=_current.log, flush=True)


def stamped(line: str) -> str:
    """The line with the time before it where stderr is no terminal: hours pass between two."""
    if sys.stderr.isatty():
        return line
    return f"{datetime.now().astimezone():%H:%M:%S} {line.strip()}"


def training_output() -> ProgressOutput:
    """Where a training reports its epochs."""
    from edgekd.cli.console import say
    from edgekd.distill.training.progress import ProgressOutput

    return ProgressOutput(lambda line: say(line, timed=True), bar=not is_quiet())
