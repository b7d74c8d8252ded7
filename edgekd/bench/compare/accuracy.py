"""What a row's decisions are worth, and how they differ from the teacher's."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from edgekd.bench.result import Estimate, TeacherComparison
from edgekd.metrics import balanced_accuracy_difference, metrics_of, paired_difference
from edgekd.metrics.classification import checked, quadratic_kappa_of
from edgekd.metrics.resampling import Groups

__all__ = ["compare", "metrics_of"]


def compare(
    teacher_logits: ArrayLike,
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    ordered: bool = False,
    groups: Groups = None,
) -> TeacherComparison:
    """One row beside the teacher on the same images.

    Args:
        teacher_logits: [N, K].
        logits: [N, K]; the temperature does not matter, it moves no decision.
        targets: Class indices [N].
        ordered: The classes are grades.
        groups: The lesion or patient of each image, which intervals take as independent.

    Returns:
        `agreement` (share of images with the teacher's top class), `flips` (number of the
        others), `balanced_accuracy_delta` (row minus teacher, paired; see
        `edgekd.metrics.balanced_accuracy_difference`), for grades `quadratic_kappa_delta` (paired
        bootstrap). The ratios of speed and size are null here.

    Raises:
        InputError: The shapes do not fit, a target is no class, or a logit is not finite.
    """
    teacher, labels = checked(teacher_logits, targets)
    row, _ = checked(logits, targets)
    before, after = teacher.argmax(axis=1), row.argmax(axis=1)
    same = int(np.count_nonzero(before == after))
    delta = balanced_accuracy_difference(teacher, row, labels, groups=groups)
    kappa = None
    if ordered:
        kappa = paired_difference(
            quadratic_kappa_of, before[None], after[None], labels, row.shape[1], groups=groups
        )
    return TeacherComparison(
        balanced_accuracy_delta=Estimate(**delta._asdict()),
        quadratic_kappa_delta=Estimate(**kappa._asdict()) if kappa else None,
        agreement=same / labels.size if labels.size else None,
        flips=int(labels.size - same),
    )
