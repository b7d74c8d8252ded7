"""Signals are noted, and nothing else happens in their handlers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from edgekd.distill.training.stopping import StopRequestedError, StopSignals, stopped


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_the_first_signal_is_noted(number: int) -> None:
    signals = StopSignals()
    signals.listen()
    assert signals.received == 0
    os.kill(os.getpid(), number)
    assert signals.received == number


def test_the_second_ends_the_process_at_once() -> None:
    program = (
        "import os, signal\n"
        "from edgekd.distill.training.stopping import StopSignals\n"
        "StopSignals().listen()\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
        "print('still here', flush=True)\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
        "print('never', flush=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "still here\n")


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
