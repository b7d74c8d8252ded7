"""The statistics of a series of times."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgekd.bench.result import LatencySeries
from edgekd.errors import InputError

__all__ = ["deviation", "nearest_rank", "summarise"]

_MIN_FOR_P95, _MIN_FOR_P99 = 200, 1000
_RESAMPLES = 1000


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
        std=deviation(values),
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


def deviation(values: NDArray[np.float64]) -> float:
    """Standard deviation of a sample; 0 of a single value."""
    return float(values.std(ddof=1)) if values.size > 1 else 0.0
