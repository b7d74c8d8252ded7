"""How the commands talk: progress and errors on stderr, results and JSON on stdout."""

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
from edgekd.errors import EdgekdError, InputError

__all__ = ["emit_json", "exit_code_of", "publish", "report_error", "say", "speaks", "ticker"]


def speaks() -> bool:
    """Whether this process speaks for its command, which Lightning starts once for each device."""
    return os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) == "0"


def say(line: str) -> None:
    """One line of progress."""
    if speaks():
        _tell(line)


def report_error(error: EdgekdError) -> None:
    """One line of what is wrong and one of what to do."""
    _tell(f"error: {error.message}")
    if error.hint:
        _tell(f"       {error.hint}")


def _tell(line: str, end: str = "\n") -> None:
    """Say it on stderr; that nobody reads there any more ends no training."""
    with contextlib.suppress(OSError):
        print(line, end=end, file=sys.stderr, flush=True)


def emit_json(value: Any, out: Path | None = None) -> None:
    """`value` as indented JSON to the file `out`, or to stdout alone."""
    from edgekd.files import pretty_json, write_atomically

    text = pretty_json(value)
    if out is None:
        print(text.decode(), end="")
    else:
        write_atomically(out, text)


def publish(text: str, value: Any, *, markdown: Path | None, json: Path | None) -> None:
    """Print a table, and write it and what it is made of to the files that were asked for."""
    from edgekd.files import write_atomically

    print(text)
    if markdown is not None:
        write_atomically(markdown, text if text.endswith("\n") else f"{text}\n")
    if json is not None:
        emit_json(value, json)


def exit_code_of(work: Callable[[], object], purpose: str = "do this") -> int:
    """The exit code of a command; what went wrong is told in two lines.

    Args:
        work: The command. An `int` that it gives is its exit code.
        purpose: What it does, as the end of "… is needed to …".
    """
    _prepare_streams()
    try:
        given = work()
        sys.stdout.flush()  # a full disk, or a reader that went, shows no later than here
    except (Exception, KeyboardInterrupt) as error:
        return _code_of(error, purpose)
    except SystemExit as ending:  # of argparse, or of Typer, which ends so where a reader went
        if isinstance(ending.__context__, BrokenPipeError):
            return _code_of(ending.__context__, purpose)
        given = ending.code
    code = given if isinstance(given, int) else 0
    if code == _INTERRUPTED:
        _tell("interrupted")
    return code


_INTERRUPTED = 128 + signal.SIGINT
_READER_GONE = 128 + 13  # SIGPIPE, which not every system has


def _code_of(error: BaseException, purpose: str) -> int:
    """Tell the error, or raise it again where it is a mistake of ours."""
    if isinstance(error, KeyboardInterrupt):
        _tell("interrupted")
        return _INTERRUPTED
    if isinstance(error, BrokenPipeError):
        _let_go_of_stdout()
        return _READER_GONE
    _keep_what_was_said()
    if type(error).__name__ == "NoArgsIsHelpError":  # Typer's, whose place differs by version
        error.show()  # type: ignore[attr-defined]
        return InputError.exit_code
    told = _usage(error) or explained(error, purpose)
    if told is None:
        raise error
    show_origin(error)
    report_error(told)
    return told.exit_code


def _usage(error: BaseException) -> InputError | None:
    """What Typer says of the arguments, which it would draw a frame around."""
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
"""What is told where the terminal's encoding lacks a character; of others a question mark."""


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_PLAIN.get(character, "?") for character in lacking), error.end


def _prepare_streams() -> None:
    """Let nothing that is printed fail for its characters, and a closed stream go nowhere.

    A name of a file that is not UTF-8 is printed as the bytes that it is.
    """
    codecs.register_error("edgekd-plain", _plain)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by who started this process: `>&-`
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - till the end
            setattr(sys, name, nowhere)
        elif isinstance(stream, io.TextIOWrapper):
            utf8 = codecs.lookup(stream.encoding).name == "utf-8"
            stream.reconfigure(errors="surrogateescape" if utf8 else "edgekd-plain")


def _keep_what_was_said() -> None:
    try:
        sys.stdout.flush()
    except OSError:
        _let_go_of_stdout()


def _let_go_of_stdout() -> None:
    """Python flushes once more when it ends; let that go nowhere."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


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
        _tell(f"{title}: {done}/{total}", end)

    return tick
