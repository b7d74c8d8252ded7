"""Runs many cases of the fuzz in processes that may die, and counts what came of them."""

from __future__ import annotations

import math
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from abuse import procfs
from abuse.cases import bundle_case, image_case
from abuse.worker import Answer

__all__ = ["BLOCKED", "LONGEST", "Campaign", "Failure", "Process", "run", "table"]

LONGEST = 5.0
"""Seconds of the processors that a case may take: the clock's would count what else runs here."""
BLOCKED = 60.0
"""Seconds of the clock that a case may take: one that waits for ever takes no processor."""
WORKER = ["-m", "abuse.worker"]
_START = 120.0
_TESTS = Path(__file__).resolve().parent.parent
_PRINTED = 1_000_000
_LOOK = 0.2


@dataclass(frozen=True)
class Failure:
    """What must not be. `engine` names the engine that the damage was let through to."""

    case: str
    group: str
    engine: str
    what: str
    stack: str = ""

    @property
    def forgiven(self) -> bool:
        """An engine fell over a damaged model whose hashes agree: only a signature guards that."""
        return bool(self.engine) and self.what.startswith(("crash", "hang", "memory"))


@dataclass
class Campaign:
    """Outcomes by kind of case and group of damage."""

    outcomes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    warned: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, str] = (0.0, "")
    hungriest: tuple[int, str] = (0, "")
    printed: str = ""
    retried: int = 0
    seconds: float = 0.0

    @property
    def wrong(self) -> list[Failure]:
        """Failures that are ours."""
        return [failure for failure in self.failures if not failure.forgiven]

    def count(self, kind: str, outcome: str = "") -> int:
        """Cases of a kind, or those of them with an outcome."""
        entries = self.outcomes.items()
        return sum(n for (k, _, o), n in entries if k == kind and outcome in ("", o))

    def note(self, case: str, answer: Answer) -> None:
        """Count the answer of a case."""
        kind = case.split(":")[0]
        self.outcomes[kind, answer.group, answer.outcome] += 1
        self.warned.update(answer.warned)
        self.slowest = max(self.slowest, (answer.ms, case))
        self.hungriest = max(self.hungriest, (answer.peak, case))
        if answer.failure:
            self.failures.append(Failure(case, answer.group, answer.engine, answer.failure))

    def lose(self, case: str, seed: int, what: str, stack: str) -> None:
        """Count a case whose process died."""
        kind, group, engine = _described(case, seed)
        self.outcomes[kind, group, what.split()[0]] += 1
        self.failures.append(Failure(case, group, engine, what, stack))


def _described(case: str, seed: int) -> tuple[str, str, str]:
    """Kind, group and engine of a case."""
    kind, number = case.split(":")
    if kind == "image":
        return kind, image_case(seed, int(number)).group, ""
    made = bundle_case(seed, int(number))
    return kind, made.group, made.backend if made.reaches_engine else ""


class Process:
    """One worker process, started again after it died."""

    keeps_errors = False
    """Whether the file `stderr` is made here, or by the process itself."""

    def __init__(self, seed: int, folder: Path) -> None:
        self._seed = seed
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, case: str) -> Answer | str:
        """The answer, or in a word how the process ended."""
        process = self._process or self._start()
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it died before; `_end` says of what
            process.stdin.write(self.request(case))
            process.stdin.flush()
        line = self._line(process, BLOCKED, LONGEST)
        if line:
            return msgspec.json.decode(line, type=Answer)
        return self._end(process)

    def command(self) -> list[str]:
        """The program that runs the cases."""
        return [sys.executable, *WORKER, str(self._seed), str(self._folder)]

    def request(self, case: str) -> bytes:
        """What it reads for a case."""
        return f"{case}\n".encode()

    def stack(self) -> str:
        """Python's stack where the last process crashed, the innermost call first."""
        text = (self._folder / "stderr").read_text(errors="replace")
        marks = (text.rfind("Fatal Python error"), text.rfind("most recent call first"))
        return text[max(0, max(marks)) :][:1500] if max(marks) >= 0 else text[-300:]

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def printed(self) -> str:
        """What landed on stdout."""
        return (self._folder / "stdout").read_text(errors="replace")

    def _start(self) -> subprocess.Popen[bytes]:
        for name in ("stdout", "stderr"):
            file = self._folder / name
            if file.exists() and (name == "stderr" or file.stat().st_size > _PRINTED):
                file.unlink()
        path = os.pathsep.join([str(_TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = os.environ | {"PYTHONPATH": path, "PYTHONHASHSEED": "0"}
        with (self._folder / "stderr").open("ab") as errors:
            self._process = subprocess.Popen(
                self.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=errors if self.keeps_errors else None, env=environment,
            )  # fmt: skip
        assert self._line(self._process, _START) == b"ready\n", self.stack()
        return self._process

    def _line(
        self, process: subprocess.Popen[bytes], seconds: float, work: float = math.inf
    ) -> bytes:
        """A line that the process wrote; empty where it died or took too long.

        Args:
            process: The worker.
            seconds: Of the clock.
            work: Seconds of the processors, of all its threads.
        """
        assert process.stdout is not None
        found, until = b"", time.monotonic() + seconds
        enough = procfs.worked(process.pid) + work
        while not found.endswith(b"\n"):
            if not select.select([process.stdout], [], [], _LOOK)[0]:
                if time.monotonic() > until or procfs.worked(process.pid) > enough:
                    return b""
                continue
            piece = os.read(process.stdout.fileno(), 1 << 16)
            if not piece:
                return b""
            found += piece
        return found

    def _end(self, process: subprocess.Popen[bytes]) -> str:
        try:
            code = process.wait(0.5)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)  # faulthandler tells where it hangs
            time.sleep(0.3)
            self.stop()
            return "hang"
        self.stop()
        name = signal.Signals(-code).name if code < 0 else f"exit {code}"
        return f"crash {name}"


def run(
    cases: Iterable[str],
    *,
    seed: int = 0,
    jobs: int = 1,
    progress: Callable[[int, Campaign], None] = lambda done, campaign: None,
    worker: Callable[[int, Path], Process] = Process,
) -> Campaign:
    """Run the cases, each named `bundle:N` or `image:N`.

    Args:
        cases: Their names.
        seed: Of all cases.
        jobs: Number of processes.
        progress: Called after each case with the number of those that are done.
        worker: Starts the processes: of a seed, and of a folder of its own.
    """
    campaign, left, lock = Campaign(), deque(cases), threading.Lock()
    start = time.monotonic()

    def work(folder: Path) -> None:
        folder.mkdir()
        process = worker(seed, folder)
        try:
            while case := _next(left):
                answer, slow = _twice(process, case)
                with lock:
                    campaign.retried += slow
                    if isinstance(answer, Answer):
                        campaign.note(case, answer)
                    else:
                        campaign.lose(case, seed, answer, process.stack())
                    progress(sum(campaign.outcomes.values()), campaign)
        finally:
            process.stop()
        campaign.printed += process.printed()

    with (
        tempfile.TemporaryDirectory(prefix="edgekd-fuzz-") as home,
        ThreadPoolExecutor(jobs) as pool,
    ):
        for job in [pool.submit(work, Path(home) / str(number)) for number in range(jobs)]:
            job.result()
    campaign.seconds = time.monotonic() - start
    return campaign


def _next(left: deque[str]) -> str:
    """The next case; empty where there is none. Another thread may take the last one first."""
    with suppress(IndexError):
        return left.popleft()
    return ""


def _twice(process: Process, case: str) -> tuple[Answer | str, bool]:
    """The answer; asked for again where it took long, on a machine with other things to do."""
    answer = process.ask(case)
    slow = answer == "hang"
    return process.ask(case) if slow else answer, slow


def table(campaign: Campaign) -> str:
    """Outcomes in columns, one line for each kind of damage."""
    outcomes = sorted({outcome for _, _, outcome in campaign.outcomes})
    rows = sorted({(kind, group) for kind, group, _ in campaign.outcomes})
    lines = [["", *outcomes]]
    for kind, group in rows:
        numbers = [str(campaign.outcomes[kind, group, outcome] or "") for outcome in outcomes]
        lines.append([f"{kind} {group}", *numbers])
    for kind in sorted({kind for kind, _ in rows}):
        sums = [str(campaign.count(kind, outcome) or "") for outcome in outcomes]
        lines.append([f"all {kind}s", *sums])
    return "\n".join(map(_padded, _columns(lines)))


def _columns(lines: Sequence[Sequence[str]]) -> list[list[tuple[str, int]]]:
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    return [list(zip(line, widths, strict=True)) for line in lines]


def _padded(cells: Sequence[tuple[str, int]]) -> str:
    (first, width), *others = cells
    return "  ".join([first.ljust(width), *(text.rjust(wide) for text, wide in others)])
