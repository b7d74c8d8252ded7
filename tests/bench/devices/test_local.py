"""This machine as a device."""

from __future__ import annotations

import os

from edgekd.bench.devices.local import LocalDevice
from edgekd.bench.measure.job import Job


def test_this_machine_runs_jobs_in_a_fresh_process() -> None:
    device = LocalDevice("cpu")
    assert (device.targets, device.kind, device.identity) == (("cpu",), "local", "local")
    assert device.decides
    assert not device.emulated
    device.prepare([], [], lambda line: None)
    answer = device.run(Job(kind="facts"))
    assert answer.machine["cores"] == device.facts()["cores"] == os.cpu_count()
    device.close()
