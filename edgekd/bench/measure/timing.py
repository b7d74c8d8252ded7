"""Timing of single images, and the rule when to stop.

Images are run one after the other, the next one after the last has finished, as a capture app does
(LoadGen's SingleStream, Reddi et al. 2020). No sample is ever dropped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgekd.errors import InputError

__all__ = [
    "MINUTES",
    "PRESETS",
    "Call",
    "Clock",
    "Preset",
    "find_preset",
    "measure",
    "returned_time",
    "wall_time",
    "warm_up",
]

MINUTES = range(1, 31)
"""Lengths of a sustained run that are allowed, in minutes."""

_SETTLED = 0.05
"""Two windows of the warm-up agree where their medians differ by no more than this share."""

Call = Callable[[int], object]
"""Runs the n-th image and returns when its answer is on the host."""

Clock = Callable[[Call, int], float]
"""Makes the n-th call and returns the milliseconds that it took."""


@dataclass(frozen=True)
class Preset:
    """How long to measure: both minimums must be met; the maximum ends a series in any case.

    Attributes:
        name: As on the command line.
        runs: Minimum number of timed runs.
        seconds: Minimum duration of the timed runs.
        max_seconds: End of each series even where `runs` is not reached (it is then flagged).
        warmup_runs: Minimum number of runs before the first sample.
        warmup_seconds: Minimum duration of the runs before the first sample.
        settle_seconds: Warm-up continues until two windows agree, but no longer than this.
        minutes: Length of the sustained run that follows the two series; 0 for none.
    """

    name: str
    runs: int
    seconds: float
    max_seconds: float
    warmup_runs: int = 10
    warmup_seconds: float = 1.0
    settle_seconds: float = 30.0
    minutes: int = 0

    @property
    def longest_seconds(self) -> float:
        """Longest duration of both series and the sustained run, without loading.

        The last call of each may begin just before its end.
        """
        return 2 * (self.settle_seconds + self.max_seconds) + 60.0 * self.minutes


PRESETS = {
    preset.name: preset
    for preset in (
        Preset("rapid", 64, 6.0, 120.0),
        Preset("quick", 128, 10.0, 240.0),
        Preset("normal", 1024, 60.0, 600.0),  # as in MLPerf Mobile
        # Continuous use, in which a device gets hot and slow (microsoft/MegaDetector#34).
        Preset("sustained", 1024, 60.0, 600.0, minutes=10),
        # Shows that the chain works (tests, demo); its numbers are flagged as no measurement.
        Preset("smoke", 16, 0.2, 20.0, warmup_runs=3, warmup_seconds=0.0, settle_seconds=0.0),
    )
}


def find_preset(name: str, minutes: int | None = None) -> Preset:
    """The preset of that name.

    Args:
        name: As on the command line.
        minutes: Length of the sustained run; None takes the preset's.

    Raises:
        InputError: There is no such preset, or it has no sustained run of that length.
    """
    if name not in PRESETS:
        message = f"there is no preset {name!r}"
        raise InputError(message, "choose rapid, quick, normal or sustained")
    preset = PRESETS[name]
    if minutes is None:
        return preset
    if not preset.minutes:
        raise InputError(f"the preset {name} lasts no minutes", "they belong to --preset sustained")
    if minutes not in MINUTES:
        message = f"{minutes} minutes is no length of a sustained run"
        raise InputError(message, f"give {MINUTES[0]} to {MINUTES[-1]}")
    return replace(preset, minutes=minutes)


def wall_time(call: Call, index: int) -> float:
    """Milliseconds of a call by this process's clock."""
    begin = time.perf_counter_ns()
    call(index)
    return (time.perf_counter_ns() - begin) / 1e6


def returned_time(call: Call, index: int) -> float:
    """Milliseconds that the call itself returns, of work in another process with its own clock."""
    milliseconds = call(index)
    assert isinstance(milliseconds, float)
    return milliseconds


def warm_up(call: Call, preset: Preset, *, clock: Clock = wall_time) -> int:
    """Run images until both minimums are met and the medians of two windows agree within 5 %.

    Returns:
        Number of runs.
    """
    times: list[float] = []
    start = time.perf_counter()
    while not _warm(times, time.perf_counter() - start, preset):
        times.append(clock(call, len(times)))
    return len(times)


def measure(call: Call, preset: Preset, *, clock: Clock = wall_time) -> list[float]:
    """Milliseconds of each run, in order, until the preset's stop rule."""
    samples: list[float] = []
    start = time.perf_counter()
    while not _done(len(samples), time.perf_counter() - start, preset):
        samples.append(clock(call, len(samples)))
    return samples


def _done(runs: int, seconds: float, preset: Preset) -> bool:
    enough = runs >= preset.runs and seconds >= preset.seconds
    return enough or (runs > 0 and seconds >= preset.max_seconds)


def _warm(times: Sequence[float], seconds: float, preset: Preset) -> bool:
    if len(times) < preset.warmup_runs or seconds < preset.warmup_seconds:
        return False
    if seconds >= preset.settle_seconds:
        return True
    window = preset.warmup_runs
    if len(times) < 2 * window:
        return False
    before, now = np.median(times[-2 * window : -window]), np.median(times[-window:])
    return bool(abs(now - before) <= _SETTLED * before)
