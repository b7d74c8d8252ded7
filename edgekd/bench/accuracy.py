"""What a row's decisions are worth, and how they differ from the teacher's."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from edgekd.bench.result import Comparison, Estimate
from edgekd.metrics import balanced_accuracy_difference, metrics_of
from edgekd.metrics.classification import checked

__all__ = ["compare", "metrics_of"]


def compare(teacher_logits: ArrayLike, logits: ArrayLike, targets: ArrayLike) -> Comparison:
    """One row beside the teacher on the same images.

    Args:
        teacher_logits: [N, K].
        logits: [N, K]; the temperature does not matter, it moves no decision.
        targets: Class indices [N].

    Returns:
        `agreement` (share of images with the teacher's top class), `flips` (number of the
        others), `balanced_accuracy_delta` (row minus teacher, paired bootstrap). The ratios of
        speed and size are null here.

    Raises:
        InputError: The shapes do not fit, a target is no class, or a logit is not finite.
    """
    teacher, labels = checked(teacher_logits, targets)
    row, _ = checked(logits, targets)
    same = int(np.count_nonzero(teacher.argmax(axis=1) == row.argmax(axis=1)))
    value, low, high = balanced_accuracy_difference(teacher, row, labels)
    return Comparison(
        balanced_accuracy_delta=Estimate(value=value, low=low, high=high),
        agreement=same / labels.size if labels.size else None,
        flips=int(labels.size - same),
    )
