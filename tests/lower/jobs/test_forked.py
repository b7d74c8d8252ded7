"""Jobs forked from a process with modules in it: which one, and what of the caller they have."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from pathlib import Path

import pytest
from forked_code import printed, start

from edgekd.lower.jobs.forked import can_fork

pytestmark = [
    pytest.mark.skipif(not can_fork(), reason="needs Linux 5.3 or newer: pidfd_open"),
    pytest.mark.usefixtures("forked_code"),
]


def test_jobs_are_forks_of_one_process_and_see_nothing_of_each_other() -> None:
    one = printed("import colorsys; colorsys.seen = 1; print(os.getppid(), os.getpid())").split()
    two = printed("import colorsys; print(os.getppid(), hasattr(colorsys, 'seen'))").split()
    assert one[0] == two[0] != str(os.getpid())
    assert two[1] == "False"


def test_a_job_has_the_folder_the_variables_and_the_arguments_of_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = printed("print(os.getppid())")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGEKD_CACHE", "here")
    code = "print(os.getppid(), os.getcwd(), os.environ['EDGEKD_CACHE'], __name__, len(sys.argv))"
    assert printed(code) == f"{parent} {tmp_path} here __main__ 2"


def test_a_job_imports_from_the_folder_of_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTHER", "than before")  # so that the server starts here
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "of_the_user.py").write_text(f"name = {name!r}")
        monkeypatch.chdir(tmp_path / name)
        assert printed("import of_the_user; print(of_the_user.name)") == name
        shutil.rmtree(tmp_path / name)


def test_a_variable_that_imports_may_have_read_asks_for_another_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with start(
        "print(os.getppid(), flush=True); sys.stdin.read(); import time; time.sleep(2)"
    ) as old:
        first = old.stdout.readline().decode().split()
        monkeypatch.setenv("OMP_NUM_THREADS", "3")
        second = printed("print(os.getppid(), os.environ['OMP_NUM_THREADS'])").split()
        assert second[0] != first[0]
        assert second[1] == "3"
    assert old.wait() == 0  # what ran in the earlier one was left alone


def test_jobs_of_many_threads() -> None:
    answers: dict[int, str] = {}

    def run(number: int) -> None:
        answers[number] = printed(f"print({number})")

    threads = [threading.Thread(target=run, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: str(number) for number in range(16)}


def test_a_job_ends_with_the_process_that_it_was_forked_from_and_the_next_one_gets_another() -> (
    None
):
    with start("print(os.getppid(), flush=True); import time; time.sleep(60)") as process:
        os.kill(int(process.stdout.readline()), signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        process.kill()
    assert printed("print('again')") == "again"


def test_a_large_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(10):  # more than a socket takes at once
        monkeypatch.setenv(f"EDGEKD_LARGE_{number}", "x" * 100_000)
    code = "print(sum(len(text) for name, text in os.environ.items() if 'EDGEKD_LARGE' in name))"
    assert printed(code) == "1000000"


def test_nothing_is_left_open_here() -> None:
    printed("pass")
    before = sorted(Path("/proc/self/fd").iterdir())
    printed("pass")
    assert sorted(Path("/proc/self/fd").iterdir()) == before
