"""Jobs in a process of their own: their last words, their log, a script, and no orphans."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from edgekd.errors import InputError
from edgekd.lower.jobs.process import (
    DISK_FULL,
    JobError,
    announce,
    job_threads,
    run_in_process,
    serve,
)


class Job(msgspec.Struct):
    """What the module `job_at_work` is told."""

    code: str
    result: str


MODULE = """
import sys
from pathlib import Path
import msgspec
from edgekd.lower.jobs.process import announce, serve

class Job(msgspec.Struct):
    code: str
    result: str

def work(job):
    exec(job.code)
    Path(job.result).write_text("done")

if __name__ == "__main__":
    sys.exit(serve(Job, work, sys.argv[1:]))
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that does what its job says, found by `python -m`."""
    (tmp_path / "job_at_work.py").write_text(MODULE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


class Run:
    """Runs code as a job, in a new process or in a fork of one that has imported modules."""

    def __init__(self, imports: tuple[str, ...]) -> None:
        self.imports = imports

    def __call__(self, tmp_path: Path, code: str, states: list[str] | None = None) -> bytes:
        result = tmp_path / "result"
        watch = (lambda state: None) if states is None else states.append
        return run_in_process(
            "job_at_work", Job(code, str(result)), title="a job",
            log=tmp_path / "logs" / "job.log", result=result, report=watch, imports=self.imports,
        )  # fmt: skip


@pytest.fixture(params=[(), ("colorsys",)], ids=["own", "forked"])
def run(request: pytest.FixtureRequest) -> Run:
    """In both kinds of process."""
    return Run(request.param)


def test_result_states_and_chatter(tmp_path: Path, run: Run) -> None:
    states: list[str] = []
    code = "print('chatter'); announce('half'); announce('whole')"
    assert run(tmp_path, code, states) == b"done"
    assert states == ["half", "whole"]
    assert "chatter" in (tmp_path / "logs" / "job.log").read_text()
    assert not list((tmp_path / "logs").glob("*.sh"))


@pytest.mark.parametrize(
    ("code", "said", "exit_code"),
    [
        ("import os; os.kill(os.getpid(), 9)", r"ended by SIGKILL \(out of memory\?\)", 1),
        (f"import os; os.kill(os.getpid(), {signal.SIGSEGV:d})", "ended by SIGSEGV", 1),
        ("print('unsupported operator'); raise SystemExit(4)", "unsupported operator", 1),
        ("raise SystemExit(9)", "ended with exit code 9 and printed nothing", 1),
        ("print('all is well'); raise SystemExit(0)", "all is well", 1),  # yet no result
        ("raise ValueError('of no use')", "ValueError: of no use", 1),
        ("from edgekd.errors import InputError; raise InputError('your mistake')", "your mis", 2),
    ],
)
def test_last_words(code: str, said: str, exit_code: int, tmp_path: Path, run: Run) -> None:
    with pytest.raises(JobError, match=said) as caught:
        run(tmp_path, code)
    assert caught.value.exit_code == exit_code
    script = tmp_path / "logs" / "job.reproduce.sh"
    assert os.access(script, os.X_OK)
    assert subprocess.run([script], capture_output=True, check=False).returncode in (
        -9, -signal.SIGSEGV, 0, 1, 2, 4, 9,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [("DeviceUnreachableError", 5), ("ArtefactError", 6), ("GateFailedError", 1)],
)
def test_a_jobs_own_hint(error: str, exit_code: int, tmp_path: Path, run: Run) -> None:
    code = f"import edgekd.errors as e; raise e.{error}('no driver', 'start it with --gpus')"
    with pytest.raises(JobError, match="a job: no driver") as caught:
        run(tmp_path, code)
    assert caught.value.hint.startswith(f"start it with --gpus; see {tmp_path}")
    assert (caught.value.exit_code, caught.value.killed) == (exit_code, False)


def test_a_job_that_was_killed_is_told_from_one_that_failed(tmp_path: Path, run: Run) -> None:
    with pytest.raises(JobError) as caught:
        run(tmp_path, "import os; os.kill(os.getpid(), 9)")
    assert caught.value.killed
    assert caught.value.hint.startswith("see ")


def test_an_old_result_does_not_count(tmp_path: Path, run: Run) -> None:
    (tmp_path / "result").write_text("of yesterday")
    with pytest.raises(JobError):
        run(tmp_path, "raise SystemExit(0)")


def test_serve_tells_unexpected_errors_in_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "job.json").write_text("{}")
    assert serve(Job, lambda job: None, [str(tmp_path / "job.json")]) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("edgekd-error: ValidationError: Object missing required field")


def test_serve_hands_on_the_users_mistake(tmp_path: Path) -> None:
    def refuse(job: Job) -> None:
        raise InputError("no such backend")

    (tmp_path / "job.json").write_bytes(msgspec.json.encode(Job("", "")))
    assert serve(Job, refuse, [str(tmp_path / "job.json")]) == 2


def test_announcing_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    announce("int8 50/900")
    assert capsys.readouterr().out == "edgekd-state: int8 50/900\n"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX system: process groups")
def test_ctrl_c_ends_all_jobs_with_what_they_started_and_no_other_one_begins(
    tmp_path: Path, run: Run
) -> None:
    """A job that ignores SIGINT, and a child of it, are gone when Ctrl-C comes to the caller."""
    note = tmp_path / "pids"
    code = (
        "import os, signal, subprocess, sys, time; signal.signal(signal.SIGINT, signal.SIG_IGN); "
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
        f"Path({str(note)!r}).write_text(f'{{os.getpid()}} {{child.pid}}'); time.sleep(600)"
    )
    with pytest.raises(KeyboardInterrupt), job_threads(1) as pool:  # noqa: PT012
        running = pool.submit(run, tmp_path, code)
        waiting = pool.submit(run, tmp_path, "raise SystemExit(0)")
        assert within(60, lambda: note.is_file() and len(note.read_text().split()) == 2)
        raise KeyboardInterrupt
    assert isinstance(running.exception(), KeyboardInterrupt)  # and no JobError: it did not fail
    assert waiting.cancelled()
    for process in note.read_text().split():
        assert within(10, lambda pid=int(process): not is_running(pid))
    assert run(tmp_path, "pass") == b"done"  # the next build begins anew


def test_ctrl_c_in_the_callers_own_thread_ends_the_job(tmp_path: Path, run: Run) -> None:
    started: list[str] = []

    def interrupt(state: str) -> None:
        started.append(state)
        raise KeyboardInterrupt

    code = "import os, time; announce(str(os.getpid())); time.sleep(600)"
    with pytest.raises(KeyboardInterrupt):
        run_in_process(
            "job_at_work", Job(code, str(tmp_path / "result")), title="a job",
            log=tmp_path / "job.log", result=tmp_path / "result", report=interrupt,
            imports=run.imports,
        )  # fmt: skip
    assert not is_running(int(started[0]))


def test_full_disk_is_told_from_a_job_that_failed(tmp_path: Path, run: Run) -> None:
    code = "import errno; raise OSError(errno.ENOSPC, 'No space left on device', 'model.onnx')"
    with pytest.raises(JobError, match=r"No space left on device: 'model\.onnx'") as caught:
        run(tmp_path, code)
    assert (caught.value.exit_code, caught.value.kind) == (2, DISK_FULL)
    assert caught.value.hint.startswith("make room")


CALLER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from job_at_work import Job
from edgekd.lower.jobs.process import run_in_process
here = Path(sys.argv[1])
code = "import os, time; Path(job.result + '.pid').write_text(str(os.getpid())); time.sleep(60)"
run_in_process("job_at_work", Job(code, str(here / "r")), title="x", log=here / "x.log",
               result=here / "r", imports=tuple(sys.argv[2:]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: prctl(PR_SET_PDEATHSIG)")
def test_a_job_does_not_outlive_its_caller(tmp_path: Path, run: Run) -> None:
    note = tmp_path / "r.pid"
    caller = subprocess.Popen([sys.executable, "-c", CALLER, str(tmp_path), *run.imports])
    assert within(30, lambda: note.is_file() and note.read_text() != "")
    job = int(note.read_text())
    assert is_running(job)
    caller.kill()
    caller.wait()
    assert within(10, lambda: not is_running(job))


def within(seconds: float, holds: object) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():  # type: ignore[operator]
            return True
        time.sleep(0.05)
    return False


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"
