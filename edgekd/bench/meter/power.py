"""Mean power of a device while it idled and while it worked, from a meter's readings.

There is no number where the readings do not cover both parts, or where the offset of the clocks is
too uncertain to assign the readings to them.
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left
from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

from edgekd.bench.measure.energy import EnergyAnswer, WorkTimes
from edgekd.bench.meter.clocks import JobInterval, Offset, clock_offset
from edgekd.bench.meter.file import PowerMeter, PowerReading
from edgekd.errors import InputError

__all__ = ["MeteredEnergy", "metered_energy"]

_SETTLING_S = 0.25
"""Seconds cut from both ends of each part, since capacitors smooth the load of the supply."""
_LEAST_SHARE = 0.5
"""Share of a part that must remain once its ends and the clock's error are cut off."""
_LEAST_READINGS = 3
_LARGEST_GAP = 0.5
"""Largest gap between two readings or at an end, as a share of what remains of the part."""

_LEAST_ERRORS = 2.0
"""Standard errors by which power with and without work have to differ."""


class MeteredEnergy(NamedTuple):
    """Power of a row's energy pass.

    Attributes:
        energy: Mean power of both parts.
        readings: Number of readings in each mean: idle, active.
        clock_error_s: Bound of the error of the device's clock offset.
    """

    energy: EnergyAnswer
    readings: tuple[int, int]
    clock_error_s: float


class _Window(NamedTuple):
    """A part by this machine's Unix time, without the margins that may belong to its neighbours."""

    name: str
    begin: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.begin


def metered_energy(
    meter: PowerMeter, times: WorkTimes, job: JobInterval, *, same_clock: bool
) -> MeteredEnergy:
    """The power of an energy pass by a meter.

    Args:
        meter: The meter; readings that are not written yet are waited for.
        times: When the device idled and worked, by its own clock.
        job: This machine's clocks around the job.
        same_clock: Whether the device is this machine.

    Raises:
        InputError: There is no number; the message says why.
    """
    offset = clock_offset(times, job, same_clock=same_clock)
    idle = _window("idle", times.idle, offset)
    active = _window("active", times.active, offset)
    readings = _from(meter.until(active.end), idle.begin)
    without, with_work = _mean_watts(readings, idle), _mean_watts(readings, active)
    _require_a_difference(without, with_work)
    energy = EnergyAnswer(
        active_watts=with_work.watts,
        idle_watts=without.watts,
        sensor=meter.name,
        runs=times.runs,
        seconds=times.active[1] - times.active[0],
    )
    return MeteredEnergy(energy, (without.readings, with_work.readings), offset.error)


class _Mean(NamedTuple):
    """Mean of the readings in a window; `error` is the standard error."""

    watts: float
    error: float
    readings: int


def _require_a_difference(idle: _Mean, active: _Mean) -> None:
    if active.watts - idle.watts > _LEAST_ERRORS * math.hypot(idle.error, active.error):
        return
    message = (
        f"the meter saw {active.watts:.3g} W at work and {idle.watts:.3g} W idle, "
        "no further apart than its readings scatter"
    )
    raise InputError(message, "leave the device idle but for edgekd, or take a longer preset")


def _window(name: str, part: tuple[float, float], offset: Offset) -> _Window:
    begin, end = (moment + offset.seconds for moment in part)
    cut = offset.error + _SETTLING_S
    window = _Window(name, begin + cut, end - cut)
    if window.seconds < _LEAST_SHARE * (end - begin):
        message = (
            f"the device's clock is known to {offset.error:.2f} s alone, "
            f"too little for {end - begin:.1f} s of {name} power"
        )
        raise InputError(message, "take a longer preset, or a faster link to the device")
    return window


def _from(readings: Sequence[PowerReading], moment: float) -> list[PowerReading]:
    """The readings from the last one before `moment` on, one for each time."""
    first = bisect_left(readings, moment, key=lambda reading: reading.time)
    return _at_distinct_times(readings[max(0, first - 1) :])


def _at_distinct_times(readings: Sequence[PowerReading]) -> list[PowerReading]:
    """One reading for each time, since loggers that round to seconds write several."""
    distinct = []
    for moment, group in groupby(readings, key=lambda reading: reading.time):
        watts = [reading.watts for reading in group]
        distinct.append(PowerReading(moment, sum(watts) / len(watts)))
    return distinct


def _mean_watts(readings: Sequence[PowerReading], window: _Window) -> _Mean:
    """Mean over time of the readings that certainly belong to a window.

    A reading may be the mean of the time since the one before, or until the next one: a reading
    whose neighbour lies outside of the window is left out.
    """
    if not readings or readings[0].time > window.begin:
        late = readings[0].time - window.begin if readings else 0.0
        message = f"the meter's file begins {late:.1f} s after the {window.name} part"
        raise InputError(message, "start the meter's logger first")
    inside = [each for each in readings if window.begin <= each.time <= window.end]
    kept = inside[1:-1]
    if len(kept) < _LEAST_READINGS:
        message = (
            f"{len(kept)} readings of the meter are of {window.name} power alone, "
            f"in {window.seconds:.1f} s, and {_LEAST_READINGS} are needed"
        )
        raise InputError(message, "let the meter log more often, or take a longer preset")
    moments = [window.begin, *(each.time for each in inside), window.end]
    gap = max(after - before for before, after in pairwise(moments))
    if gap > _LARGEST_GAP * window.seconds:
        message = f"the meter's file has a gap of {gap:.1f} s in the {window.name} part"
        raise InputError(message, "measure again")
    error = statistics.stdev(each.watts for each in kept) / math.sqrt(len(kept))
    return _Mean(_over_time(kept), error, len(kept))


def _over_time(readings: Sequence[PowerReading]) -> float:
    """Mean over time by the trapezoidal rule, also right for meters that only log changes."""
    joules = sum(
        (after.time - before.time) * (after.watts + before.watts) / 2
        for before, after in pairwise(readings)
    )
    return joules / (readings[-1].time - readings[0].time)
