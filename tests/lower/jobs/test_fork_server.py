"""The process that jobs are forked from: what they share with it and with each other."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from forked_code import IMPORTED, printed, start

from edgekd.lower.jobs.forked import can_fork

pytestmark = [
    pytest.mark.skipif(not can_fork(), reason="needs Linux 5.3 or newer: pidfd_open"),
    pytest.mark.usefixtures("forked_code"),
]


def test_modules_are_there_and_absent_ones_are_left_to_the_job() -> None:
    assert printed(f"print({IMPORTED!r} in before)") == "True"
    assert printed("print('wave' in before, 'colorsys' in before)", "wave", "no_such") == (
        "True False"
    )


def test_a_session_of_its_own_without_input_and_descriptors_of_others() -> None:
    with start("import time; time.sleep(60)") as other:
        code = (
            "print(os.getsid(0) == os.getpid(), sys.stdin.read() == '', "
            "sorted(set(map(int, os.listdir('/proc/self/fd'))) - {0, 1, 2}), "
            "threading.active_count())"
        )
        text = printed(code)
        other.kill()
    # The one descriptor that is left is that of listing the folder.
    assert text == "True True [3] 1"
    assert other.wait() == -signal.SIGKILL


def test_what_a_job_prints_and_its_exit_code(tmp_path: Path) -> None:
    with start("print('out'); print('err', file=sys.stderr); sys.exit(7)") as process:
        assert process.stdout.read() == b"out\nerr\n"
    assert process.wait() == process.returncode == 7
    with start("print('last words'); os.kill(os.getpid(), 11)") as process:
        assert process.stdout.read() == b"last words\n"
    assert process.wait() == -signal.SIGSEGV
    process.kill()  # has no effect any more
