"""What a lowered file loses against the float student, class by class, on the same images."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekd.errors import InputError
from edgekd.metrics.classification import Floats, Integers, checked, top_class
from edgekd.metrics.intervals import RESAMPLES, _counts, _enough, _percentiles
from edgekd.metrics.summary import Estimate

__all__ = ["ClassDrop", "PairedDrops", "paired_drops"]


class ClassDrop(msgspec.Struct, frozen=True, kw_only=True):
    """One class, before and after. Which one: its place in `PairedDrops.classes`.

    Attributes:
        n: Images of the class.
        lost: Right before, wrong now.
        gained: Wrong before, right now.
        sensitivity_before: None without images.
        sensitivity_after: None without images.
        drop: Before minus after, (lost - gained) / n: positive is a loss. With its paired 95 %
            interval; no bounds for one image or none.
    """

    n: int
    lost: int
    gained: int
    sensitivity_before: float | None
    sensitivity_after: float | None
    drop: Estimate


class PairedDrops(msgspec.Struct, frozen=True, kw_only=True):
    """What was lost from the one to the other.

    Attributes:
        classes: The K classes in the order of the logits.
        balanced_accuracy_drop: Mean of the drops over the classes that occur; no bounds as soon
            as one of them has a single image.
    """

    classes: tuple[ClassDrop, ...]
    balanced_accuracy_drop: Estimate


def paired_drops(
    before: ArrayLike,
    after: ArrayLike,
    targets: ArrayLike,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> PairedDrops:
    """Drop of every sensitivity and of the balanced accuracy, with paired 95 % intervals.

    Resampled are images, with replacement, within each class and as many as it has. An image
    brings both of its outcomes along, so pairs stay together and what is hard for both cancels
    out. All intervals are percentiles of one and the same draw.

    What it cannot see: it knows nothing but the images it has. Where no decision of a class
    changed, every resample says so too and the interval is [0, 0], with 30 images as with
    3,000, while a share of 3 / n may be lost in truth (exact, 95 %: 1 - 0.05^(1/n)). Where few
    changed, its upper bound is too low: beside the exact one (Clopper, Pearson 1934) it is
    about one half for one lost image, two thirds for two, four fifths for five, nine tenths
    for ten. So a limit on the bound needs a least number of images beside it, enough for
    several to be lost at that limit. Images of one lesion are taken as independent.

    Args:
        before: Logits [N, K] of the float student, finite.
        after: Logits [N, K] of the lowered file. A row that is not finite is a wrong decision.
        targets: Class indices [N].
        resamples: Number of bootstrap samples.
        seed: The same seed gives the same intervals.

    Raises:
        InputError: The shapes do not fit, a target is no class, or `before` is not finite.
    """
    scores, labels = checked(before, targets)
    was = top_class(scores) == labels
    now = _right(np.asarray(after, np.float64), scores, labels)
    one_hot = labels[:, None] == np.arange(scores.shape[1])
    support = one_hot.sum(axis=0)
    changes = (was.astype(np.float64) - now)[:, None] * one_hot
    # Whole numbers until the division: 3 of 20 is exactly the 0.15 that a limit may be.
    samples = _resampled(changes, labels, resamples, seed) / np.maximum(support, 1)
    classes = tuple(
        _class_drop(was[own], now[own], sample)
        for own, sample in zip(one_hot.T, samples.T, strict=True)
    )
    occurring = support > 0
    drops = [each.drop.value for each in classes if each.drop.value is not None]
    balanced = _estimate(
        float(np.mean(drops)) if drops else None,
        samples[:, occurring].mean(axis=1) if _enough(labels) else None,
    )
    return PairedDrops(classes=classes, balanced_accuracy_drop=balanced)


def _right(after: Floats, before: Floats, labels: Integers) -> NDArray[np.bool_]:
    if after.shape != before.shape:
        message = f"logits {before.shape} and {after.shape} are not of the same images"
        raise InputError(message, "run both models on the same images and classes")
    finite = np.asarray(np.isfinite(after).all(axis=1))
    return np.asarray(finite & (top_class(np.where(finite[:, None], after, 0.0)) == labels))


def _resampled(changes: Floats, labels: Integers, resamples: int, seed: int) -> Floats:
    """Lost minus gained images of every class in every resample, [resamples, K]."""
    if not labels.size:
        return np.zeros((resamples, changes.shape[1]))
    return np.concatenate([block @ changes for block in _counts(labels, resamples, seed)])


def _class_drop(was: NDArray[np.bool_], now: NDArray[np.bool_], sample: Floats) -> ClassDrop:
    n, lost, gained = was.size, int((was & ~now).sum()), int((now & ~was).sum())
    drop = (lost - gained) / n if n else None
    return ClassDrop(
        n=n,
        lost=lost,
        gained=gained,
        sensitivity_before=float(was.mean()) if n else None,
        sensitivity_after=float(now.mean()) if n else None,
        drop=_estimate(drop, sample if n > 1 else None),
    )


def _estimate(value: float | None, sample: Floats | None) -> Estimate:
    return Estimate(**_percentiles(value, sample)._asdict())
