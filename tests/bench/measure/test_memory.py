"""Peak memory of this very process: a block of known size is touched."""

from __future__ import annotations

import subprocess
import sys

import msgspec

from edgekd.bench.measure.job import MemoryAnswer

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
