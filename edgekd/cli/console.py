"""Output of the commands: progress and errors on stderr, results and JSON on stdout."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgekd.cli.failures import explained, show_origin
from edgekd.cli.output import is_quiet, log_line, stamped
from edgekd.errors import EdgekdError, InputError, StoppedError

__all__ = [
    "emit_json",
    "exit_code_of",
    "is_main_process",
    "publish",
    "report_error",
    "say",
    "ticker",
]


def is_main_process() -> bool:
    """Whether this is the first of the processes of a run, on all of its nodes."""
    ranks = (os.environ.get(name) for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))
    return next((rank for rank in ranks if rank is not None), "0") == "0"


def say(line: str, *, timed: bool = False) -> None:
    """Report one line of progress, from the main process only: on stderr, and in the log.

    Args:
        line: The line.
        timed: Put the time before it where stderr is no terminal.
    """
    if not is_main_process():
        return
    log_line(line)
    if not is_quiet():
        _print_to_stderr(stamped(line) if timed else line)


def report_error(error: EdgekdError) -> None:
    """Print an error in two lines to stderr: what is wrong, and what to do."""
    _print_to_stderr(f"error: {error.message}")
    if error.hint:
        _print_to_stderr(f"       {error.hint}")


def error_summary(error: EdgekdError | None) -> dict[str, object] | None:
    """An error for `--json`; None without one."""
    if error is None:
        return None
    return {"message": error.message, "hint": error.hint, "exit_code": error.exit_code}


def _print_to_stderr(line: str, end: str = "\n") -> None:
    """Print a line, ignoring a closed stderr, which must not end a training that takes hours."""
    with contextlib.suppress(OSError):
        print(line, end=end, file=sys.stderr, flush=True)


def emit_json(value: Any, out: Path | None = None) -> None:
    """Write `value` as indented JSON to the file `out`, or to stdout where that is None."""
    from edgekd.files import pretty_json, write_atomically

    text = pretty_json(value)
    if out is None:
        print(text.decode(), end="")
    else:
        write_atomically(out, text)


def publish(text: str, value: Any, *, markdown: Path | None, json: Path | None) -> None:
    """Print a table, and write it and its values to the files that are not None."""
    from edgekd.files import write_atomically

    print(text)
    if markdown is not None:
        write_atomically(markdown, text if text.endswith("\n") else f"{text}\n")
    if json is not None:
        emit_json(value, json)


def exit_code_of(work: Callable[[], object], purpose: str = "do this") -> int:
    """Run a command, report its error in two lines, and return its exit code.

    Args:
        work: The command. An `int` that it returns is the exit code.
        purpose: What the command does, to complete "… is needed to …".

    Raises:
        Exception: An error that is a bug of edgekd, with its traceback.
    """
    _prepare_streams()
    try:
        result = work()
        sys.stdout.flush()  # a full disk or a closed pipe shows here at the latest
    except (Exception, KeyboardInterrupt, StoppedError) as error:
        return _code_of(error, purpose)
    except SystemExit as ending:  # by argparse, or by Typer if the reader has closed the pipe
        if isinstance(ending.__context__, BrokenPipeError):
            return _code_of(ending.__context__, purpose)
        result = ending.code
    code = result if isinstance(result, int) else 0
    if code == _INTERRUPTED:
        _print_to_stderr("interrupted")
    return code


_INTERRUPTED = 128 + signal.SIGINT
_READER_GONE = 128 + 13  # SIGPIPE, which not every system has


def _code_of(error: BaseException, purpose: str) -> int:
    """Report the error and return its exit code, or raise it again where it is a bug of edgekd."""
    if isinstance(error, StoppedError):
        say(error.message)
        return error.exit_code
    if isinstance(error, KeyboardInterrupt):
        _print_to_stderr("interrupted")
        return _INTERRUPTED
    if isinstance(error, BrokenPipeError):
        _discard_stdout()
        return _READER_GONE
    _flush_stdout()
    if type(error).__name__ == "NoArgsIsHelpError":  # in Typer; its module differs by version
        error.show()  # type: ignore[attr-defined]
        return InputError.exit_code
    explanation = _usage(error) or explained(error, purpose)
    if explanation is None:
        raise error
    show_origin(error)
    report_error(explanation)
    return explanation.exit_code


def _usage(error: BaseException) -> InputError | None:
    """Typer's message about the arguments as an error, without Typer's frame around it."""
    message = getattr(error, "format_message", None)
    if message is None:
        return None
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "edgekd"
    return InputError(" ".join(str(message()).split()), f"see {command} --help")


# ---- the streams ----

_PLAIN = {
    "×": "x", "·": ".", "…": "...", "–": "-", "—": "-", "−": "-", "±": "+-", "≤": "<=",
    "≥": ">=", "→": "->", "°": " deg", "µ": "u", "μ": "u", "σ": "sigma", "≈": "~",
    "“": '"', "”": '"', "’": "'",
}  # fmt: skip
"""ASCII for characters that the terminal's encoding lacks; others become question marks."""


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_PLAIN.get(character, "?") for character in lacking), error.end


def _prepare_streams() -> None:
    """Make every text printable in the encoding of stdout and stderr, also where they are closed.

    File names that are not UTF-8 are printed as their bytes.
    """
    codecs.register_error("edgekd-plain", _plain)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the shell: `>&-`
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - till the end
            setattr(sys, name, nowhere)
        elif isinstance(stream, io.TextIOWrapper):
            utf8 = codecs.lookup(stream.encoding).name == "utf-8"
            stream.reconfigure(errors="surrogateescape" if utf8 else "edgekd-plain")


def _flush_stdout() -> None:
    try:
        sys.stdout.flush()
    except OSError:
        _discard_stdout()


def _discard_stdout() -> None:
    """Redirect stdout to the null device, since Python flushes it once more at exit."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def ticker(title: str) -> Callable[[int, int], None]:
    """A progress callback (done, total) that updates a line every ten per cent."""
    last = -1

    def tick(done: int, total: int) -> None:
        nonlocal last
        tenth = 10 * done // total
        if not is_main_process() or is_quiet() or tenth == last:
            return
        if not sys.stderr.isatty() and done < total:
            return
        last = tenth
        end = "\n" if done == total else "\r"
        _print_to_stderr(f"{title}: {done}/{total}", end)

    return tick
