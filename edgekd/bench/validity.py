"""Why a series of times should not be trusted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgekd.bench.measure.timing import Preset
from edgekd.bench.statistics import deviation

__all__ = ["validity_flags"]

MAX_VARIATION = 0.10
MAX_DRIFT = 0.05
MAX_OTHER_LOAD = 0.10
BLOCKS = 5


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
    variation = deviation(values) / float(values.mean()) if values.mean() > 0 else 0.0
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
