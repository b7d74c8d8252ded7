"""Losses of one network against another, finding by finding, on the same images.

Bounds are those of `edgekd.metrics.exact`. Findings of one image depend on one another: an image,
or all images of its lesion or patient, is the independent unit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekd.errors import InputError
from edgekd.metrics.exact import LEVEL
from edgekd.metrics.paired import PairedDrops, bounded_change, class_drop
from edgekd.metrics.resampling import Groups, group_codes
from edgekd.metrics.summary import Estimate
from edgekd.tasks.multilabel.scores import checked_findings

__all__ = ["enough_units", "finding_drops", "specificity_drops"]

_Flags = NDArray[np.bool_]


def finding_drops(
    before: ArrayLike,
    after: ArrayLike,
    targets: ArrayLike,
    *,
    groups: Groups = None,
    level: float = LEVEL,
) -> PairedDrops:
    """Drop of each finding's sensitivity and of the balanced accuracy, with one-sided bounds.

    Args:
        before: Logits [N, K] of the float student, finite.
        after: Logits [N, K] of the lowered file. A row that is not finite counts as wrong.
        targets: 0 and 1, [N, K].
        groups: The lesion or patient of each image [N]; None takes images as independent.
        level: Confidence level of each one-sided bound.

    Returns:
        `classes` are the findings, each over the images that have it; `balanced_accuracy_drop` is
        the mean over findings of the drop of (sensitivity + specificity) / 2. It has no bounds
        where fewer than two groups have a finding, or lack it.

    Raises:
        InputError: Shapes do not fit, a target is neither 0 nor 1, or `before` is not finite.
    """
    was, now, true = _right(before, after, targets)
    codes = group_codes(groups, len(true))
    findings = []
    for index in range(true.shape[1]):
        images = true[:, index]
        findings.append(class_drop(was[images, index], now[images, index], codes[images], level))
    drop = _balanced_drop(was, now, true, codes, level)
    return PairedDrops(classes=tuple(findings), balanced_accuracy_drop=drop)


def specificity_drops(
    before: ArrayLike, after: ArrayLike, targets: ArrayLike
) -> list[float | None]:
    """Specificity of each finding before minus after; None where every image has it."""
    was, now, true = _right(before, after, targets)
    lost = was.astype(np.float64) - now
    return [
        float(lost[images, index].mean()) if (images := ~true[:, index]).any() else None
        for index in range(true.shape[1])
    ]


def enough_units(true: _Flags, codes: NDArray[np.int64]) -> bool:
    """Whether two groups have, and two lack, each finding of [N, K] that some images have.

    With a single one bootstrap samples would hardly vary. Findings of no image, or of all, are left
    out.
    """
    findings = [images for images in true.T if images.any() and not images.all()]
    sides = [side for images in findings for side in (images, ~images)]
    return all(np.unique(codes[side]).size >= 2 for side in sides)


def _right(
    before: ArrayLike, after: ArrayLike, targets: ArrayLike
) -> tuple[_Flags, _Flags, _Flags]:
    """Whether each answer is right before and after, and the targets, each [N, K]."""
    answers = checked_findings(before, targets)
    scores = np.asarray(after, np.float64)
    if scores.shape != answers.true.shape:
        message = f"logits {answers.true.shape} and {scores.shape} are not of the same images"
        raise InputError(message, "run both models on the same images and findings")
    finite = np.isfinite(scores).all(axis=1, keepdims=True)
    return answers.right, np.asarray(finite & ((scores >= 0) == answers.true)), answers.true


def _balanced_drop(
    was: _Flags, now: _Flags, true: _Flags, codes: NDArray[np.int64], level: float
) -> Estimate:
    kept = true.any(axis=0) & ~true.all(axis=0)
    if not kept.any():
        return Estimate(value=None)
    was, now, true = was[:, kept], now[:, kept], true[:, kept]
    # All findings weigh the same, and so do the images with and without one, as two sets.
    sizes = np.where(true, true.sum(axis=0), (~true).sum(axis=0))
    weights = 1 / (2 * kept.sum() * sizes)
    value = float(((was.astype(np.float64) - now) * weights).sum())
    if not enough_units(true, codes):
        return Estimate(value=value)
    pairs = (was.ravel(), now.ravel(), weights.ravel())
    return bounded_change(value, *pairs, np.repeat(codes, true.shape[1]), level)
