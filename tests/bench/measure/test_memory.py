"""Peak memory of this very process: a block of known size is touched."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from edgekd.bench.measure.job import MemoryAnswer
from edgekd.bench.measure.memory import PeakOfProcesses

_PROGRAM = """
import sys
import msgspec, numpy as np
from edgekd.bench.measure.memory import PeakMemory
before = np.ones(30_000_000, np.uint8)
peak = PeakMemory()
block = np.ones(int(sys.argv[1]), np.uint8)
del block
sys.stdout.buffer.write(msgspec.json.encode(peak.answer()))
"""


def test_the_peak_holds_what_was_given_back_again():
    size = 64_000_000
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(size)], capture_output=True, check=True
    )
    answer = msgspec.json.decode(done.stdout, type=MemoryAnswer)
    # The kernel counts pages in batches for each core.
    assert size - 1_000_000 <= answer.rss_peak_delta_bytes < size + 8_000_000
    assert answer.rss_peak_bytes >= answer.rss_peak_delta_bytes + 29_000_000
    assert "VmHWM" in answer.definition or "ru_maxrss" in answer.definition


_GROWS = "input(); block = bytearray(50_000_000); del block; print(flush=True); input()"


@pytest.mark.skipif(sys.platform != "linux", reason="memory of other processes is read on Linux")
def test_the_process_that_grows_most_counts():
    command = [sys.executable, "-c", _GROWS]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as grows, subprocess.Popen(command, **pipes) as idle:
        peak = PeakOfProcesses([idle.pid, grows.pid])
        grows.stdin.write(b"\n")
        grows.stdin.flush()
        grows.stdout.readline()
        answer = peak.answer("the test's process")
        for process in (grows, idle):
            process.kill()
    assert answer is not None
    assert 49_000_000 <= answer.rss_peak_delta_bytes < 60_000_000
    assert answer.definition.startswith("VmHWM of the test's process after")


def test_processes_that_are_gone_have_no_memory():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert PeakOfProcesses([ended.pid]).answer("it") is None
