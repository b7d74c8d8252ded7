"""A board on a power meter: its clock, over a real ssh, and what the meter saw of its work."""

from __future__ import annotations

import threading
import time

import pytest

from edgekd.bench.measure.job import Job
from edgekd.bench.meter import (
    ClockReading,
    JobInterval,
    PowerMeter,
    clock_offset,
    metered_energy,
)


@pytest.fixture
def meter_file(tmp_path):
    """A meter whose watts are the seconds since it was switched on."""
    file, done, begin = tmp_path / "meter.csv", threading.Event(), time.time()
    file.write_text("time,watts\n")

    def log() -> None:
        with file.open("a") as growing:
            while not done.wait(0.02):
                now = time.time()
                growing.write(f"{now:.4f},{now - begin:.4f}\n")
                growing.flush()

    thread = threading.Thread(target=log)
    thread.start()
    yield file
    done.set()
    thread.join()


@pytest.mark.slow
def test_a_boards_clock_is_known_by_the_job_itself(make_device, make_bundle, data, meter_file):
    device, bundle = make_device(), make_bundle("rpi")
    device.prepare([bundle], data.paths[:4], print)
    images = [str(path) for path in data.paths[:4]]
    job = Job(kind="energy", metered=True, images=images, preset="smoke", bundle=str(bundle))
    before = ClockReading.now()
    times = device.run(job).work_times
    asked = JobInterval(before, ClockReading.now())
    # The board is this machine, so the truth is known.
    truth = time.time() - time.monotonic()
    offset = clock_offset(times, asked, same_clock=False)
    assert abs(offset.seconds - truth) <= offset.error
    exact = clock_offset(times, asked, same_clock=True)
    assert exact.seconds == pytest.approx(truth, abs=0.05)
    assert times.runs > 0
    assert times.began < times.idle[0] < times.idle[1] <= times.active[0] < times.active[1]
    found = metered_energy(PowerMeter(meter_file), times, asked, same_clock=True)
    assert found.energy.active_watts - found.energy.idle_watts > 1.5
