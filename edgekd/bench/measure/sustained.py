"""Speed over minutes of continuous work, minute by minute: it falls when a device gets hot.

A short run does not show it: of four phones that microsoft/MegaDetector#34 ran for half an hour,
one fell to half its speed, and the ranking of the last minute was not that of the first.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
import numpy as np

from edgekd.bench.measure.machine import temperatures
from edgekd.bench.measure.percentiles import nearest_rank
from edgekd.bench.measure.timing import Call, Clock, wall_time

__all__ = ["MinuteSample", "sustain"]


class MinuteSample(msgspec.Struct, frozen=True, kw_only=True):
    """One minute of a sustained run.

    Attributes:
        minute: Its number, from 1.
        p50: Median of its runs, ms.
        p90: 90th percentile of its runs, ms.
        n: Number of runs that ended in it.
        temperatures_c: Degrees Celsius by thermal zone, at its end.
    """

    minute: int
    p50: float
    p90: float
    n: int
    temperatures_c: dict[str, float] = {}


def sustain(
    call: Call,
    minutes: int,
    *,
    minute_seconds: float = 60.0,
    thermometer: Callable[[], dict[str, float]] = temperatures,
    clock: Clock = wall_time,
) -> list[MinuteSample]:
    """Run images one after the other for a number of minutes.

    The thermometer is read between two runs and counts to none of them.

    Args:
        call: Runs the n-th image.
        minutes: Number of minutes.
        minute_seconds: Length of a minute, shorter in tests.
        thermometer: Degrees Celsius by zone.
        clock: Times each run.

    Returns:
        Each minute; one in which no run ended is left out, since it has no percentiles.
    """
    samples: list[MinuteSample] = []
    index, start = 0, time.perf_counter()
    for minute in range(1, minutes + 1):
        times = []
        while time.perf_counter() - start < minute * minute_seconds:
            times.append(clock(call, index))
            index += 1
        if times:
            samples.append(_minute_sample(minute, times, thermometer()))
    return samples


def _minute_sample(minute: int, times_ms: list[float], degrees: dict[str, float]) -> MinuteSample:
    ordered = np.sort(np.asarray(times_ms, np.float64))
    return MinuteSample(
        minute=minute,
        p50=nearest_rank(ordered, 0.5),
        p90=nearest_rank(ordered, 0.9),
        n=len(times_ms),
        temperatures_c=degrees,
    )
