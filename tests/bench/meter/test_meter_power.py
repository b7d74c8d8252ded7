"""Which readings belong to a device's work, and what is refused rather than guessed."""

from __future__ import annotations

import math

import pytest

from edgekd.bench.measure.energy import WorkTimes
from edgekd.bench.meter import ClockReading, JobInterval, PowerMeter, metered_energy
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


def step(moment: float) -> float:
    """3 W idle, 5 W at work; while the process loads and when it ends, 9 W."""
    return 3.0 if 10.0 <= moment < 20.0 else 5.0 if 20.0 <= moment < 30.0 else 9.0


def energy(power: PowerMeter, around: JobInterval | None = None, times: WorkTimes = TIMES):
    return metered_energy(power, times, around or asked(), same_clock=False)


def test_power_of_both_parts(tmp_path):
    found = energy(meter(tmp_path, step))
    assert found.energy.idle_watts == pytest.approx(3.0)
    assert found.energy.active_watts == pytest.approx(5.0)
    assert found.energy.sensor == "external meter meter.csv, whole device"
    assert (found.energy.runs, found.energy.seconds) == (50, 10.0)
    assert min(found.readings) > 10
    assert 0.1 <= found.clock_error_s < 0.2


@pytest.mark.parametrize("at", [0.0, 1.0], ids=["until then", "from then on"])
def test_readings_that_are_means_of_their_interval(tmp_path, at):
    """A meter's reading of a second that lies in both parts counts for neither."""

    def mean(moment: float) -> float:
        points = [moment + at - 1.0 + (index + 0.5) / 100 for index in range(100)]
        return math.fsum(map(step, points)) / len(points)

    found = energy(meter(tmp_path, mean, begin=8.3, end=32.3, each=1.0))
    assert found.energy.idle_watts == pytest.approx(3.0)
    assert found.energy.active_watts == pytest.approx(5.0)


def test_times_rounded_down_to_seconds(tmp_path):
    moments = [8.0 + index / 4 for index in range(93)]
    lines = [f"{math.floor(here(moment))},{step(moment)}\n" for moment in moments]
    file = tmp_path / "rounded.csv"
    file.write_text("time,watts\n" + "".join(lines))
    found = energy(PowerMeter(file, patience_s=0.0))
    assert (found.energy.idle_watts, found.energy.active_watts) == (3.0, 5.0)


def test_a_meter_that_logs_changes_is_read_over_time(tmp_path):
    """1 W for most of the part, 9 W for a moment with as many readings."""
    lines = [(9.9, 1), (12, 1), (15, 1), (18, 1), (18.1, 9), (18.2, 9), (18.3, 1), (19.6, 1)]
    lines += [(20.5 + index, 20) for index in range(12)]
    file = tmp_path / "meter.csv"
    text = "".join(f"{here(moment)},{watts}\n" for moment, watts in lines)
    file.write_text(f"time,watts\n{text}")
    found = energy(PowerMeter(file, patience_s=0.0))
    # From 15 s to 18.3 s, which are kept: 1 W but for 0.1 s of 9 W and the slopes on its sides.
    assert found.energy.idle_watts == pytest.approx((3.3 + 8 * 0.2) / 3.3, rel=1e-3)


@pytest.mark.parametrize(
    "options, said",
    [
        ({"end": 27.0}, "ends 2.6 s before the work did"),
        ({"begin": 12.0}, "begins 1.6 s after the idle part"),
        ({"begin": 25.0}, "begins 14.6 s after the idle part"),
        ({"each": 3.0, "end": 33.0}, "1 readings of the meter are of idle power alone"),
        ({"shift": 3600.0}, "begins 3597.6 s after the idle part"),
        ({"shift": -3600.0}, "ends 3598.6 s before the work did"),
    ],
)
def test_what_the_file_does_not_cover_is_no_number(tmp_path, options, said):
    with pytest.raises(InputError) as caught:
        energy(meter(tmp_path, step, **options))
    assert said in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("begin, seconds", [(21.3, "6.5"), (20.2, "7.1")], ids=["amid", "begin"])
def test_a_gap_is_not_bridged(tmp_path, begin, seconds):
    whole = meter(tmp_path, step)
    header, *lines = whole.path.read_text().splitlines(keepends=True)
    kept = [line for line in lines if not begin < float(line.split(",")[0]) - here(0) < 27.4]
    whole.path.write_text(header + "".join(kept))
    with pytest.raises(InputError, match=f"gap of {seconds} s in the active part"):
        energy(PowerMeter(whole.path, patience_s=0.0))


def test_a_clock_that_is_not_known_well_enough_is_no_number(tmp_path):
    power = meter(tmp_path, step)
    assert energy(power, asked(lead=4.0)).energy.idle_watts == pytest.approx(3.0)
    with pytest.raises(InputError, match=r"clock is known to 3\.\d+ s alone.*10\.0 s of idle"):
        energy(power, asked(lead=6.0))


@pytest.mark.parametrize("least, enough", [(0.1, False), (0.5, True)])
def test_power_that_does_not_stand_out_of_the_scatter_is_no_number(tmp_path, least, enough):
    """Readings of 6 W and 5 W in turn, which someone else's work makes; ours adds little."""

    def busy(moment: float) -> float:
        return 5.0 + round(moment * 2) % 2 + (least if 20.0 <= moment < 30.0 else 0.0)

    power = meter(tmp_path, busy)
    if enough:
        found = energy(power).energy
        assert found.active_watts - found.idle_watts == pytest.approx(least, abs=0.06)
        return
    with pytest.raises(InputError, match=r"5\.\d+ W at work and 5\.\d+ W idle, no further apart"):
        energy(power)


def test_work_that_draws_less_than_idling_is_no_number(tmp_path):
    with pytest.raises(InputError, match="3 W at work and 5 W idle"):
        energy(meter(tmp_path, lambda moment: 8.0 - step(moment)))
