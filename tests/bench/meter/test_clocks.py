"""The offset of a device's clock, by the moments around a job."""

from __future__ import annotations

import pytest

from edgekd.bench.measure.energy import WorkTimes
from edgekd.bench.meter import ClockReading, JobInterval, PowerMeter, clock_offset, metered_energy
from edgekd.errors import InputError

HERE = 1_764_072_000.0
"""Unix time of this machine when its monotonic clock said 100 and the device's 7."""
TIMES = WorkTimes(began=8.0, idle=(10.0, 20.0), active=(20.0, 30.0), runs=50)


def asked(lead: float = 0.1, lag: float = 0.1, jump: float = 0.0) -> JobInterval:
    """Around the job of TIMES: so long before its process began and after its work was over."""
    begin, end = 1.0 - lead, 23.0 + lag
    return JobInterval(
        ClockReading(HERE + begin, 100 + begin), ClockReading(HERE + end + jump, 100 + end)
    )


def here(device: float) -> float:
    return HERE + device - 7.0


def meter(folder, watts, *, begin=8.0, end=31.0, each=0.5, shift=0.0) -> PowerMeter:
    """A meter's file: the power at each moment of the device's clock."""
    count = round((end - begin) / each) + 1
    moments = [begin + index * each for index in range(count)]
    lines = [f"{here(moment) + shift:.6f},{watts(moment)}\n" for moment in moments]
    file = folder / "meter.csv"
    file.write_text("time,watts\n" + "".join(lines))
    return PowerMeter(file, patience_s=0.0)


def energy(power: PowerMeter, around: JobInterval | None = None, times: WorkTimes = TIMES):
    return metered_energy(power, times, around or asked(), same_clock=False)


def test_the_offset_lies_between_its_bounds():
    offset = clock_offset(TIMES, asked(lead=0.4, lag=0.1), same_clock=False)
    truth = HERE - 7.0
    assert abs(offset.seconds - truth) <= offset.error
    assert 0.25 <= offset.error < 0.3
    assert offset.seconds == pytest.approx(truth - 0.15)


def test_of_this_machine_the_offset_is_exact():
    offset = clock_offset(TIMES, asked(lead=9.0), same_clock=True)
    assert offset.seconds == pytest.approx(HERE - 100)
    assert offset.error == pytest.approx(0.0, abs=1e-6)


def test_a_clock_that_was_set_meanwhile_is_refused():
    for same in (True, False):
        with pytest.raises(InputError, match=r"clock was set by \+3\.0 s"):
            clock_offset(TIMES, asked(jump=3.0), same_clock=same)


def test_clocks_that_contradict_each_other_are_refused():
    with pytest.raises(InputError, match=r"ran 1\.3 s apart"):
        clock_offset(TIMES, asked(lead=-0.7, lag=-0.6), same_clock=False)
