"""Starting the measuring process on this machine, and reading its answer."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from edgekd import errors
from edgekd.bench.measure.job import Answer, Failure, Job
from edgekd.bench.measure.timing import find_preset

__all__ = ["WorkerError", "raised_again", "run_job"]

_LOADING_SECONDS = 300.0


class WorkerError(Exception):
    """The measuring process crashed or did not end: a fault of an engine, not of the user."""


def run_job(job: Job) -> Answer:
    """Run a job in a fresh process; the job's `output` is set here.

    Raises:
        EdgekdError: The process raised an error on purpose; of the same class as there.
        WorkerError: It crashed, or did not end in time.
    """
    with tempfile.TemporaryDirectory(prefix="edgekd-bench-") as folder:
        file, output = Path(folder, "job.json"), Path(folder, "answer.json")
        file.write_bytes(msgspec.json.encode(msgspec.structs.replace(job, output=str(output))))
        process = _start(file, job)
        if process.returncode != 0 or not output.is_file():
            raise WorkerError(_last_words(process))
        answer = msgspec.json.decode(output.read_bytes(), type=Answer)
    if answer.failure is not None:
        raise raised_again(answer.failure)
    return answer


def _start(file: Path, job: Job) -> subprocess.CompletedProcess[str]:
    limit = _LOADING_SECONDS + find_preset(job.preset, job.minutes).longest_seconds
    command = [sys.executable, "-m", "edgekd.bench.measure.worker", str(file)]
    # Thread pools that no option reaches (OpenMP in PyTorch, OpenCV's) read their size here.
    environment = os.environ | {"OMP_NUM_THREADS": str(job.threads), "ORT_DISABLE_TELEMETRY": "1"}
    try:
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise WorkerError(f"the measuring process did not end within {limit:.0f} s") from error


def _last_words(process: subprocess.CompletedProcess[str]) -> str:
    lines = process.stderr.strip().splitlines()
    code = process.returncode
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    return f"the measuring process ended with {how}" + (f": {lines[-1]}" if lines else "")


def raised_again(failure: Failure) -> errors.EdgekdError:
    """The error of another process as an exception of the same class."""
    kind = getattr(errors, failure.kind, errors.ArtefactError)
    error: errors.EdgekdError = kind.__new__(kind)
    errors.EdgekdError.__init__(error, failure.message, failure.hint)
    return error
