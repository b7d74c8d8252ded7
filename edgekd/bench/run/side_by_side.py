"""Runs on several devices at the same time, each in its own process."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

import msgspec
from rich.console import Console

from edgekd.bench.devices.launch import raised_again
from edgekd.bench.measure.job import Failure, failure_of
from edgekd.bench.result import Result
from edgekd.bench.run.harness import run_benchmark
from edgekd.bench.run.request import BenchRequest
from edgekd.errors import EdgekdError

__all__ = ["Outcome", "run_side_by_side"]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one device, or the failure in its place."""

    result: Result | None = None
    failure: Failure | None = None

    def require(self) -> Result:
        """The result.

        Raises:
            EdgekdError: There is none.
        """
        if self.result is None:
            raise raised_again(self.failure or _ended("without a result"))
        return self.result


_DECODER = msgspec.json.Decoder(Outcome)
"""Made once: msgspec crashes where two threads meet a type for the first time together."""


def run_side_by_side(requests: Sequence[BenchRequest]) -> list[Outcome]:
    """Run the harness for each request at the same time; a failure of one does not end the others.

    Ctrl-C ends all of them, each with the result of what it has measured; a second one ends them
    at once.

    Args:
        requests: What to measure; each on a device of its own.

    Returns:
        The outcome of each, in order.
    """
    runs = [_start() for _ in requests]
    with ThreadPoolExecutor(len(requests)) as pool:
        ends = [
            pool.submit(_outcome, run, request) for run, request in zip(runs, requests, strict=True)
        ]
        try:
            _wait(ends, runs)
        except BaseException:
            for run in runs:
                run.kill()
            raise
    return [end.result() for end in ends]


def _start() -> subprocess.Popen[bytes]:
    """Start in a new session, so that Ctrl-C reaches the process once, through this one."""
    return subprocess.Popen(
        [sys.executable, "-m", "edgekd.bench.run.side_by_side"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


def _wait(ends: Sequence[Future[Outcome]], runs: Sequence[subprocess.Popen[bytes]]) -> None:
    try:
        wait(ends)
    except KeyboardInterrupt:
        for run in runs:
            run.send_signal(signal.SIGINT)
        wait(ends)


def _outcome(run: subprocess.Popen[bytes], request: BenchRequest) -> Outcome:
    answer, _ = run.communicate(pickle.dumps(request))
    if run.returncode != 0:
        how = f"with exit code {run.returncode}"
        return Outcome(failure=_ended(f"on {request.device} {how}"))
    return _DECODER.decode(answer)


def _ended(how: str) -> Failure:
    return Failure(kind="ArtefactError", message=f"the run ended {how}", hint="run it again")


def _main() -> int:
    """One run: the request by stdin, the outcome by stdout."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    request: BenchRequest = pickle.load(sys.stdin.buffer)
    # What libraries print must not mix with the outcome.
    answer, sys.stdout = os.fdopen(os.dup(1), "wb"), sys.stderr
    quiet = Console(stderr=True, quiet=True)  # several progress bars would write over each other
    try:
        outcome = Outcome(result=run_benchmark(request, console=quiet))
    except EdgekdError as error:
        outcome = Outcome(failure=failure_of(error))
    answer.write(msgspec.json.encode(outcome))
    answer.close()
    return 0


if __name__ == "__main__":
    sys.exit(_main())
