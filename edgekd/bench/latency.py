"""Timing single images, and the statistics of such a series.

One image after the other, the next one only when the last has finished: what a capture app does
(LoadGen's SingleStream, Reddi et al. 2020). No sample is ever dropped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekd.bench.result import LatencySeries
from edgekd.errors import InputError

__all__ = [
    "PRESETS",
    "Preset",
    "find_preset",
    "measure",
    "nearest_rank",
    "summarise",
    "validity_flags",
    "warm_up",
]

MAX_VARIATION = 0.10
MAX_DRIFT = 0.05
MAX_OTHER_LOAD = 0.10
BLOCKS = 5
_MIN_FOR_P95, _MIN_FOR_P99 = 200, 1000
_RESAMPLES = 1000

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
    return bool(abs(now - before) <= MAX_DRIFT * before)


def summarise(samples_ms: Sequence[float], *, seed: int = 0) -> LatencySeries:
    """The statistics of a series, with every sample.

    p95 only from 200 samples on and p99 only from 1,000: below that the tail is a handful of
    runs. The intervals of p50 and p90 take runs as independent.

    Raises:
        InputError: There are no samples, or one is not a time.
    """
    values = np.asarray(samples_ms, dtype=np.float64)
    if not values.size or not np.isfinite(values).all() or values.min() < 0:
        raise InputError("a latency series needs samples that are times", "measure again")
    ordered = np.sort(values)
    return LatencySeries(
        p50=nearest_rank(ordered, 0.50),
        p90=nearest_rank(ordered, 0.90),
        p95=nearest_rank(ordered, 0.95) if values.size >= _MIN_FOR_P95 else None,
        p99=nearest_rank(ordered, 0.99) if values.size >= _MIN_FOR_P99 else None,
        mean=float(values.mean()),
        std=_deviation(values),
        min=float(ordered[0]),
        max=float(ordered[-1]),
        n=int(values.size),
        p50_interval=_rank_interval(ordered, 0.50, seed),
        p90_interval=_rank_interval(ordered, 0.90, seed),
        samples=[round(value, 5) for value in values.tolist()],
    )


def nearest_rank(ordered: NDArray[np.float64], share: float) -> float:
    """The smallest sample that at least `share` of the (ascending) samples do not exceed."""
    return float(ordered[_rank(ordered.size, share) - 1])


def _rank(n: int, share: float) -> int:
    # 0.9 * 10 is 9.000000000000002 in some spellings: do not let rounding pick the next rank.
    return max(1, math.ceil(share * n - 1e-9))


def _rank_interval(ordered: NDArray[np.float64], share: float, seed: int) -> tuple[float, float]:
    """95 % bootstrap interval of a nearest-rank percentile, without drawing the samples.

    The k-th smallest of n draws with replacement from n samples is the one at rank ceil(n·U)
    where U is the k-th smallest of n uniform numbers, which is Beta(k, n - k + 1) distributed.
    """
    n = ordered.size
    k = _rank(n, share)
    uniform = np.random.default_rng(seed).beta(k, n - k + 1, _RESAMPLES)
    ranks = np.clip(np.ceil(n * uniform).astype(np.int64), 1, n)
    low, high = np.percentile(ordered[ranks - 1], [2.5, 97.5], method="inverted_cdf")
    return float(low), float(high)


def _deviation(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1)) if values.size > 1 else 0.0


def validity_flags(
    samples_ms: Sequence[float], preset: Preset, *, series: str, other_load: float | None = None
) -> list[str]:
    """Why a series should not be trusted; empty where nothing speaks against it.

    Args:
        samples_ms: The samples in the order in which they were taken.
        preset: What was asked for.
        series: Its name, for the words (`model`, `end-to-end`).
        other_load: Share of the machine's CPU time that other processes took meanwhile.
    """
    values = np.asarray(samples_ms, dtype=np.float64)
    flags = []
    if values.size < preset.runs:
        flags.append(f"too-few-samples: {series}, {values.size} of {preset.runs} runs")
    variation = _deviation(values) / float(values.mean()) if values.mean() > 0 else 0.0
    if variation > MAX_VARIATION:
        flags.append(f"high-variation: {series}, standard deviation {variation:.0%} of the mean")
    drift = _drift(values)
    if abs(drift) > MAX_DRIFT:
        word = "slower" if drift > 0 else "faster"
        flags.append(f"drift: {series}, last fifth {abs(drift):.0%} {word} than the first")
    if other_load is not None and other_load > MAX_OTHER_LOAD:
        flags.append(f"other-load: {series}, other processes took {other_load:.0%} of the CPU")
    return flags


def _drift(values: NDArray[np.float64]) -> float:
    """Relative change of the median from the first of 5 blocks to the last."""
    if values.size < 2 * BLOCKS:
        return 0.0
    blocks = np.array_split(values, BLOCKS)
    first, last = float(np.median(blocks[0])), float(np.median(blocks[-1]))
    return last / first - 1 if first > 0 else 0.0
