"""Conversions, each in a process of its own.

The converters are large, chatty and at times crash; one process per backend keeps them from each
other and from the caller. A conversion that fails leaves its log and a `reproduce.sh`
(an idea of Triton Model Navigator).
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import msgspec

from edgekd.errors import EdgekdError
from edgekd.files import pretty_json, write_whole

__all__ = [
    "ERROR_MARK",
    "REPORT",
    "Conversion",
    "ConversionError",
    "ConversionJob",
    "ConversionReport",
    "convert",
]

REPORT = "report.json"
ERROR_MARK = "edgekd-error: "
"""Starts the line in which the worker says why it failed."""

_USERS_MISTAKES = (2, 3, 6)  # exit codes of EdgekdError that the worker hands on


class ConversionJob(msgspec.Struct, frozen=True, kw_only=True):
    """What one worker shall do.

    Attributes:
        backend: Name of the lowering backend.
        precisions: What to lower to; one after the other in one process, so that the tools
            are imported once.
        checkpoint: Folder of the student.
        calibration: File (.npy) with uint8 [N, S, S, 3]; needed for int8.
        out: Folder that gets one folder per precision and `report.json`.
        threads: Threads of torch; None leaves them to torch.
    """

    backend: str
    precisions: tuple[str, ...]
    checkpoint: str
    out: str
    calibration: str | None = None
    threads: int | None = None


class Conversion(msgspec.Struct, frozen=True, kw_only=True):
    """One lowered file.

    Attributes:
        precision: What it was lowered to.
        file: The main file, relative to the job's `out`.
        size_bytes: Size of all files of this precision.
        seconds: Time it took, imports of the first one included.
        versions: Tools that took part.
    """

    precision: str
    file: str
    size_bytes: int
    seconds: float
    versions: dict[str, str]


class ConversionReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker did: one entry per precision, in the order of the job."""

    backend: str
    conversions: tuple[Conversion, ...]


class ConversionError(EdgekdError):
    """A conversion failed; its log and a `reproduce.sh` were kept.

    Args:
        message: Backend, precisions and what the converter said last.
        hint: Where the log and the script are.
        exit_code: The worker's own where the cause is the user's (2, 3, 6), else 1.
    """

    def __init__(self, message: str, hint: str, exit_code: int = 1) -> None:
        super().__init__(message, hint)
        self.exit_code = exit_code


def convert(job: ConversionJob, *, log: Path) -> ConversionReport:
    """Run the job in a process of its own.

    Each `out/<precision>` appears whole or not at all; precisions done before one that fails
    stay.

    Args:
        job: What to do.
        log: File for the converter's chatter; the job is kept beside it.

    Raises:
        ConversionError: The worker failed.
    """
    log = Path(log).absolute()
    log.parent.mkdir(parents=True, exist_ok=True)
    report = Path(job.out) / REPORT
    report.unlink(missing_ok=True)
    job_file = log.with_suffix(".job.json")
    write_whole(job_file, pretty_json(job))
    command = [sys.executable, "-m", "edgekd.lower.worker", str(job_file)]
    code = _run(command, log)
    if code != 0 or not report.is_file():
        raise _failure(job, command, log, code)
    return msgspec.json.decode(report.read_bytes(), type=ConversionReport)


def _run(command: list[str], log: Path) -> int:
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}  # what was said before a crash counts
    with log.open("wb") as stream:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=environment,
            check=False,
        )
    return done.returncode


def _failure(job: ConversionJob, command: list[str], log: Path, code: int) -> ConversionError:
    script = log.parent / "reproduce.sh"
    _write_script(script, command)
    message = f"{job.backend} {'/'.join(job.precisions)}: {_last_words(log, code)}"
    hint = f"see {log}; run {script} to see it again"
    return ConversionError(message, hint, code if code in _USERS_MISTAKES else 1)


def _write_script(script: Path, command: list[str]) -> None:
    lines = ["#!/bin/sh", "# Runs the conversion that failed once more, in sight.", ""]
    lines += [f"cd {shlex.quote(str(Path.cwd()))} || exit 1", shlex.join(["exec", *command])]
    write_whole(script, "\n".join(lines) + "\n")
    script.chmod(0o755)


def _last_words(log: Path, code: int) -> str:
    """The worker's own error line, else what killed it, else the log's last line."""
    lines = log.read_text(errors="replace").splitlines()
    marked = [line.removeprefix(ERROR_MARK) for line in lines if line.startswith(ERROR_MARK)]
    if marked:
        return marked[-1]
    if code < 0:
        return f"the converter was ended by {_signal_name(-code)}"
    said = [line.strip() for line in lines if line.strip()]
    return said[-1] if said else f"the converter ended with exit code {code} and said nothing"


def _signal_name(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
    return f"{name} (out of memory?)" if name == "SIGKILL" else name
