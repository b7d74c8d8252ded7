"""Several devices at the same time: one's failure and Ctrl-C leave no other without its result."""

from __future__ import annotations

import ast
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgekd.bench.run.request import BenchRequest
from edgekd.bench.run.side_by_side import run_side_by_side
from edgekd.errors import InputError

INTERRUPTED = """
import os, pickle, sys
from edgekd.bench.run.side_by_side import run_side_by_side

requests = pickle.load(sys.stdin.buffer)
print([[str(m) for m in outcome.require().missing] for outcome in run_side_by_side(requests)])
"""


def request(data, bundles: list[Path], device: str = "cpu", **options) -> BenchRequest:
    options = {"preset": "smoke", "threads": 1, "command": "bench"} | options
    return BenchRequest(device=device, data=data, bundles=bundles, **options)


def test_each_has_its_result(data, make_bundle) -> None:
    bundle = make_bundle()
    first, second = run_side_by_side([request(data, [bundle]), request(data, [bundle], "rpi")])
    assert first.require().device.name == "cpu"
    assert first.require().rows[0].latency_ms is not None
    assert second.require().device.kind == "not-configured"
    assert second.require().rows[0].metrics == first.require().rows[0].metrics


def test_what_one_refuses_is_raised_for_that_one(data, make_bundle) -> None:
    good, bad = run_side_by_side([request(data, [make_bundle()]), request(data, [])])
    assert good.require().rows
    with pytest.raises(InputError, match="nothing to measure") as refused:
        bad.require()
    assert refused.value.exit_code == 2
    assert "--bundle" in refused.value.hint


def test_ctrl_c_ends_all_with_what_they_have(data, make_bundle, tmp_path: Path) -> None:
    bundles = [make_bundle(), make_bundle(temperature=1.5)]
    outs = [tmp_path / f"{name}.json" for name in "ab"]
    requests = [request(data, bundles, preset="normal", out=out) for out in outs]
    host = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    host.stdin.write(pickle.dumps(requests))
    host.stdin.close()
    # With the second bundle's answers kept, the first's row is complete, on however slow a machine.
    parts = [out.with_name(f".{out.name}.parts") for out in outs]
    deadline = time.monotonic() + 60
    while not all(part.is_dir() and len(list(part.glob("*.json"))) == 2 for part in parts):
        assert time.monotonic() < deadline, "nothing was measured"
        time.sleep(0.05)
    os.kill(host.pid, signal.SIGINT)
    printed = host.stdout.read().decode()
    host.stdout.close()
    assert host.wait(60) == 0
    missing = ast.literal_eval(printed)
    assert len(missing) == 2
    for each in missing:
        assert "cpu fp32: latency-not-measured: the run was interrupted" in each


TOGETHER = """
import sys, threading
import msgspec
from edgekd.bench.run.side_by_side import Outcome, _outcome

sys.setswitchinterval(1e-6)
barrier, answer = threading.Barrier(8), msgspec.json.encode(Outcome())

class Ended:
    returncode = 0

    def communicate(self, request):
        barrier.wait()
        return answer, b""

threads = [threading.Thread(target=_outcome, args=(Ended(), None)) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_runs_may_end_at_the_same_moment() -> None:
    """Threads that met a type of msgspec for the first time together ended with SIGSEGV."""
    assert subprocess.run([sys.executable, "-c", TOGETHER], check=False).returncode == 0
