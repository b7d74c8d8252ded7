"""Signals are noted, and nothing else happens in their handlers."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from edgekd.distill.training.stopping import StopRequestedError, StopSignals, stopped


def _signalled(number: int, times: int) -> tuple[int, str]:
    """Exit code and output of a process that sends itself a signal, and says what it noted."""
    program = (
        "import os\n"
        "from edgekd.distill.training.stopping import StopSignals\n"
        "signals = StopSignals()\n"
        "signals.listen()\n"
        "print(signals.received, flush=True)\n"
        f"for _ in range({times}):\n"
        f"    os.kill(os.getpid(), {number:d})\n"
        "    print(signals.received, flush=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    return done.returncode, done.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_the_first_signal_is_noted(number: int) -> None:
    assert _signalled(number, 1) == (0, f"0\n{number:d}\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_the_second_ends_the_process_at_once(number: int) -> None:
    assert _signalled(number, 2) == (-number, f"0\n{number:d}\n")


def test_another_thread_leaves_the_handlers_alone() -> None:
    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=StopSignals().listen)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_exit_code_is_that_of_a_process_ended_by_the_signal() -> None:
    error = stopped(StopRequestedError(signal.SIGUSR1, "student is saved after 2 epochs"))
    assert error.exit_code == 138
    assert error.message == (
        "stopped by SIGUSR1: student is saved after 2 epochs; the same command continues there"
    )
