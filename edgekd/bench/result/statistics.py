"""Statistics of a series of times."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgekd.bench.measure.job import RunStatistics
from edgekd.bench.measure.percentiles import nearest_rank, rank
from edgekd.bench.result import LatencySeries
from edgekd.errors import InputError

__all__ = [
    "block_medians",
    "block_spread",
    "deviation",
    "outliers",
    "series_of_statistics",
    "steadied",
    "summarise",
    "variation",
]

BLOCKS = 5

_MIN_FOR_P95, _MIN_FOR_P99 = 200, 1000
_RESAMPLES = 1000
_SHORTEST_MS = 1.0
_FAR = 5.0
"""Scaled median absolute deviations above the median; of a million normal samples none is there."""


def summarise(samples_ms: Sequence[float], *, images: int = 1, seed: int = 0) -> LatencySeries:
    """The statistics of a series, with every sample.

    p95 is given from 200 samples on and p99 from 1,000: below that the tail is a handful of runs.
    The intervals of p50 and p90 take runs as independent.

    Args:
        samples_ms: The samples in the order in which they were taken.
        images: Number of images that were cycled through; differences between them are removed from
            the medians of the blocks, as in the flags, and from no other number.
        seed: Seed of the bootstrap.

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
        std=deviation(values),
        min=float(ordered[0]),
        max=float(ordered[-1]),
        n=int(values.size),
        outliers=outliers(values),
        p50_interval=_rank_interval(ordered, 0.50, seed),
        p90_interval=_rank_interval(ordered, 0.90, seed),
        block_medians=[round(value, 5) for value in block_medians(steadied(values, images))],
        samples=[round(value, 5) for value in values.tolist()],
    )


def series_of_statistics(runs: RunStatistics) -> LatencySeries:
    """The statistics of a program that keeps no samples; no percentile is interpolated.

    Raises:
        InputError: It reports no median.
    """
    if runs.p50_ms is None:
        raise InputError("the program tells no median of its runs", "take a newer version of it")
    return LatencySeries(
        p50=runs.p50_ms,
        p90=None,
        p95=runs.p95_ms if runs.n >= _MIN_FOR_P95 else None,
        p99=None,
        mean=runs.mean_ms,
        std=runs.std_ms,
        min=runs.min_ms,
        max=runs.max_ms,
        n=runs.n,
        p50_interval=None,
        p90_interval=None,
    )


def _rank_interval(ordered: NDArray[np.float64], share: float, seed: int) -> tuple[float, float]:
    """95 % bootstrap interval of a nearest-rank percentile, without drawing the samples.

    The k-th smallest of n draws with replacement from n samples is the one at rank ceil(n·U)
    where U is the k-th smallest of n uniform numbers, which is Beta(k, n - k + 1) distributed.
    """
    n = ordered.size
    k = rank(n, share)
    uniform = np.random.default_rng(seed).beta(k, n - k + 1, _RESAMPLES)
    ranks = np.clip(np.ceil(n * uniform).astype(np.int64), 1, n)
    low, high = np.percentile(ordered[ranks - 1], [2.5, 97.5], method="inverted_cdf")
    return float(low), float(high)


def deviation(values: NDArray[np.float64]) -> float:
    """Standard deviation of a sample; 0 for a single value."""
    return float(values.std(ddof=1)) if values.size > 1 else 0.0


def variation(values: NDArray[np.float64], images: int = 1, trimmed: float = 0.0) -> float:
    """Standard deviation of the times as a share of the mean, image by image.

    Photos of several sizes take different times to decode, so each sample is divided by its image's
    mean (`steadied`). Calls shorter than a millisecond are averaged in groups that last one:
    the system's interrupts of some 50 µs would otherwise make no model of 0.1 ms count as steady.

    Args:
        values: Samples [N] in order; sample n is of image n % images.
        images: Number of images that were cycled through.
        trimmed: Share of the slowest samples that are left out.
    """
    if not values.size or values.mean() <= 0:
        return 0.0
    even = steadied(values, images)
    together = _together(even)
    means = max(1, images // together) if even is not values else 1
    joined = even[: even.size // together * together].reshape(-1, together).mean(axis=1)
    kept = np.sort(joined)[: joined.size - int(trimmed * joined.size)]
    if kept.size <= means:
        return 0.0
    squares = float(np.square(kept - kept.mean()).sum())
    return float(np.sqrt(squares / (kept.size - means)) / kept.mean())


def _together(values: NDArray[np.float64]) -> int:
    """Number of consecutive samples that last a millisecond; at least ten groups remain."""
    middle = max(1e-6, float(np.median(values)))
    return max(1, min(math.ceil(_SHORTEST_MS / middle), values.size // 10))


def steadied(values: NDArray[np.float64], images: int = 1) -> NDArray[np.float64]:
    """The samples without the differences between images: each divided by its image's mean.

    With fewer than two samples for each image, they are returned as they are.
    """
    if images <= 1 or values.size < 2 * images:
        return values
    level = values.mean()
    even = values.copy()
    for first in range(images):
        own = values[first::images].mean()
        even[first::images] *= level / own if own > 0 else 1.0
    return even


def block_medians(values: NDArray[np.float64], blocks: int = BLOCKS) -> list[float]:
    """Medians of consecutive blocks of equal length; empty for too short a run."""
    if values.size < 2 * blocks:
        return []
    return [float(np.median(block)) for block in np.array_split(values, blocks)]


def block_spread(medians: Sequence[float]) -> float | None:
    """How much slower the slowest block is than the fastest, as a share; None without blocks."""
    if not medians or min(medians) <= 0:
        return None
    return max(medians) / min(medians) - 1


def outliers(values: NDArray[np.float64]) -> int:
    """Number of samples far above the rest. They are counted, never dropped.

    Far is five times the scaled median absolute deviation, and a tenth of the median at least.
    """
    if not values.size:
        return 0
    middle = float(np.median(values))
    scale = 1.4826 * float(np.median(np.abs(values - middle)))
    return int(np.count_nonzero(values > middle + max(_FAR * scale, 0.1 * middle)))
