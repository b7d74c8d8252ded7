"""The epoch that is kept, and when a training stops early: functions of the validation scores.

The scores are part of the training checkpoint: an interrupted run needs no other state to decide as
it would have.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import Literal

from edgekd.recipe import FitSection

__all__ = ["Better", "best_epoch", "kept_epoch", "stop_reason"]

Better = Literal["max", "min"]


def best_epoch(scores: Sequence[float], better: Better) -> int:
    """Index of the best score: the first of equal ones; NaN is worse than any number."""
    sign = 1.0 if better == "max" else -1.0
    return max(range(len(scores)), key=lambda n: (not isnan(scores[n]), sign * scores[n]))


def kept_epoch(fit: FitSection, scores: Sequence[float], better: Better) -> int:
    """Index of the epoch whose weights are kept: the last, or the one with the best score."""
    return len(scores) - 1 if fit.keep == "last" else best_epoch(scores, better)


def stop_reason(fit: FitSection, scores: Sequence[float], better: Better) -> str | None:
    """Why more epochs do not pay, in words; None while they do.

    They do while the last `stop_after` epochs brought a better score, and one better by at least
    `stop_gain` for each of these epochs. Epochs at smaller image sizes than the last one do not
    count: what they cost is less, and the larger images are still to come.
    """
    last = fit.stop_after
    if not last or len(scores) - _epochs_of_smaller_images(fit) <= last:
        return None
    earlier, best = scores[:-last], best_epoch(scores, better)
    epochs = f"{last} epoch{'s' if last > 1 else ''}"
    if best < len(earlier):
        return f"no better score in {epochs}"
    gain = abs(scores[best] - scores[best_epoch(earlier, better)])
    if gain < fit.stop_gain * last:  # false where there was no number before
        return f"a gain of {gain:.4f} in {epochs}, less than {fit.stop_gain:g} in each"
    return None


def _epochs_of_smaller_images(fit: FitSection) -> int:
    """Number of the epochs before those of the last of `image_sizes`."""
    sizes = [fit.training_side(epoch, 0) for epoch in range(fit.epochs)]
    return sum(size != sizes[-1] for size in sizes)
