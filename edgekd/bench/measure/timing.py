"""Running single images against the clock, and when to stop.

One image after the other, the next one only when the last has finished: what a capture app does
(LoadGen's SingleStream, Reddi et al. 2020). No sample is ever dropped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgekd.errors import InputError

__all__ = ["PRESETS", "Call", "Preset", "find_preset", "measure", "warm_up"]

_SETTLED = 0.05
"""Two windows of the warm-up agree where their medians differ by no more than this share."""

Call = Callable[[int], object]
"""Runs the n-th image and returns when its answer is on the host."""


@dataclass(frozen=True)
class Preset:
    """How long to measure: both minimums must be met, the maximum ends it in any case.

    Attributes:
        name: What the user types.
        runs: Fewest measured runs.
        seconds: Fewest measured seconds.
        max_seconds: End of each series even where `runs` is not reached (it is then flagged).
        warmup_runs: Fewest runs before, not measured.
        warmup_seconds: Fewest seconds before.
        settle_seconds: Warm-up goes on until two windows agree, but no longer than this.
    """

    name: str
    runs: int
    seconds: float
    max_seconds: float
    warmup_runs: int = 10
    warmup_seconds: float = 1.0
    settle_seconds: float = 30.0


PRESETS = {
    preset.name: preset
    for preset in (
        Preset("rapid", 64, 6.0, 120.0),
        Preset("quick", 128, 10.0, 240.0),
        Preset("normal", 1024, 60.0, 600.0),  # MLPerf Mobile's
        # Shows that the chain works (tests, demo); its numbers are flagged as no measurement.
        Preset("smoke", 16, 0.2, 20.0, warmup_runs=3, warmup_seconds=0.0, settle_seconds=0.0),
    )
}


def find_preset(name: str) -> Preset:
    """The preset of that name.

    Raises:
        InputError: There is none.
    """
    if name not in PRESETS:
        message = f"there is no preset {name!r}"
        raise InputError(message, "choose rapid, quick or normal")
    return PRESETS[name]


def warm_up(call: Call, preset: Preset) -> int:
    """Run until both minimums are met and two windows agree within 5 %.

    Returns:
        Number of runs.
    """
    times: list[float] = []
    start = time.perf_counter()
    while not _warm(times, time.perf_counter() - start, preset):
        times.append(_timed(call, len(times)))
    return len(times)


def measure(call: Call, preset: Preset) -> list[float]:
    """Milliseconds of each run, in order, until the preset's stop rule."""
    samples: list[float] = []
    start = time.perf_counter()
    while not _done(len(samples), time.perf_counter() - start, preset):
        samples.append(_timed(call, len(samples)))
    return samples


def _timed(call: Call, index: int) -> float:
    begin = time.perf_counter_ns()
    call(index)
    return (time.perf_counter_ns() - begin) / 1e6


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
