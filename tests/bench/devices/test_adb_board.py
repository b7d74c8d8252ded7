"""A phone with a Python is a board like any other: the same jobs, by another link."""

from __future__ import annotations

import sys

from adb.phone import Phone

from edgekd.bench.devices.adb import AdbTransport
from edgekd.bench.devices.board import RemoteDevice
from edgekd.bench.measure.job import Job


def test_a_job_runs_over_adb_and_survives_a_cut(phone: Phone, transport: AdbTransport) -> None:
    device = RemoteDevice(
        "android",
        "adb",
        ("android",),
        transport,
        python=sys.executable,
        folder=f"{phone.home_there}/edgekd",
        pauses=(0.05, 0.1, 0.2),
    )
    assert device.board().machine
    phone.faults.cut_after = 50_000  # in the middle of the runner's copy
    device.prepare([], [], lambda line: None)
    assert phone.faults.cut_after is None, "it was cut"
    answer = device.run(Job(kind="facts"))
    assert answer.machine["python"] == sys.version.split()[0]
    device.close()
