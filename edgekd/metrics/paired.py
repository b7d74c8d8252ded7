"""Losses of one classifier against another, class by class, on the same images.

Bounds are those of `edgekd.metrics.exact`; they hold even if few decisions changed, or none.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekd.errors import InputError
from edgekd.metrics.classification import Floats, Integers, checked, top_class
from edgekd.metrics.exact import LEVEL, TWO_SIDED, loss_bounds
from edgekd.metrics.intervals import Interval
from edgekd.metrics.resampling import Groups, group_codes
from edgekd.metrics.summary import Estimate

__all__ = [
    "ClassDrop",
    "PairedDrops",
    "balanced_accuracy_difference",
    "bounded_change",
    "class_drop",
    "paired_drops",
]


class ClassDrop(msgspec.Struct, frozen=True, kw_only=True):
    """The change of one class; its index in `PairedDrops.classes` says which.

    Attributes:
        n: Number of images of the class.
        groups: Number of lesions or patients shown; `n` where none are known.
        lost: Number of images right before, wrong now.
        gained: Number of images wrong before, right now.
        sensitivity_before: None without images.
        sensitivity_after: None without images.
        drop: Before minus after, (lost - gained) / n: positive is a loss. `low` and `high` are its
            one-sided bounds, 95 % each; no bounds without images.
    """

    n: int
    groups: int
    lost: int
    gained: int
    sensitivity_before: float | None
    sensitivity_after: float | None
    drop: Estimate


class PairedDrops(msgspec.Struct, frozen=True, kw_only=True):
    """Losses by class and of the balanced accuracy.

    Attributes:
        classes: The K classes in the order of the logits.
        balanced_accuracy_drop: Mean of the drops over the classes that occur, with one-sided
            bounds, 95 % each; no bounds as soon as one of them has a single image, or several of a
            single lesion or patient.
    """

    classes: tuple[ClassDrop, ...]
    balanced_accuracy_drop: Estimate


def paired_drops(
    before: ArrayLike,
    after: ArrayLike,
    targets: ArrayLike,
    *,
    groups: Groups = None,
    level: float = LEVEL,
) -> PairedDrops:
    """Drop of every sensitivity and of the balanced accuracy, with one-sided 95 % bounds.

    The bound of a class that gained nothing is the exact one of its lost images (Clopper, Pearson
    1934): 4.9 points for none of 60, 7.7 for one. Gains offset losses only up to the
    lower bound of the gains. Balanced accuracy is a weighted mean of changes; its bound holds for
    losses that affect all classes alike, and for losses in one class if that class has enough
    images for the limit (a loss of L in the mean of K classes is a loss of K·L in one class). A
    loss that affects only a smaller class may go undetected there; the bound of that class covers
    it.

    Images of one group are one unit with their net loss, so no assumption is made on how similar
    they are. A class of n images has an effective number of at most (Σ mᵢ)² / Σ mᵢ² images, where
    mᵢ images are of group i.

    Args:
        before: Logits [N, K] of the float student, finite.
        after: Logits [N, K] of the lowered file. A row that is not finite is a wrong decision.
        targets: Class indices [N].
        groups: The lesion or patient of each image [N]; None takes images as independent.
        level: Level of each one-sided bound.

    Raises:
        InputError: The shapes do not fit, a target is not a class, or `before` is not finite.
    """
    scores, labels = checked(before, targets)
    codes = group_codes(groups, labels.size)
    was = top_class(scores) == labels
    now = _right(np.asarray(after, np.float64), scores, labels)
    classes = []
    for k in range(scores.shape[1]):
        own = labels == k
        classes.append(class_drop(was[own], now[own], codes[own], level))
    return PairedDrops(
        classes=tuple(classes),
        balanced_accuracy_drop=_balanced(classes, was, now, labels, codes, level),
    )


def balanced_accuracy_difference(
    first: ArrayLike, second: ArrayLike, targets: ArrayLike, *, groups: Groups = None
) -> Interval:
    """Balanced accuracy of `second` minus that of `first` on the same images, with a 95 % interval.

    The comparison is paired, so difficulty common to both cancels out. The bounds are those of
    `paired_drops`, at 97.5 % each; the interval has a width even where no decision differs.

    Args:
        first: Logits [N, K], usually the teacher's.
        second: Logits [N, K].
        targets: Class indices [N].
        groups: The lesion or patient of each image [N]; None takes images as independent.

    Raises:
        InputError: See `edgekd.metrics.classification.checked`.
    """
    checked(second, targets)
    drops = paired_drops(first, second, targets, groups=groups, level=TWO_SIDED)
    value, low, high = (
        None if one is None else 0.0 - one
        for one in msgspec.structs.astuple(drops.balanced_accuracy_drop)
    )
    return Interval(value, high, low)


def _right(after: Floats, before: Floats, labels: Integers) -> NDArray[np.bool_]:
    if after.shape != before.shape:
        message = f"logits {before.shape} and {after.shape} are not of the same images"
        raise InputError(message, "run both models on the same images and classes")
    finite = np.asarray(np.isfinite(after).all(axis=1))
    return np.asarray(finite & (top_class(np.where(finite[:, None], after, 0.0)) == labels))


def class_drop(
    was: NDArray[np.bool_], now: NDArray[np.bool_], codes: Integers, level: float = LEVEL
) -> ClassDrop:
    """The loss of one class, from its n images.

    Args:
        was: Whether each image of the class was right before [n].
        now: Whether it is right after [n].
        codes: Number of the group of each image [n].
        level: Level of each one-sided bound.
    """
    n, lost, gained = was.size, int((was & ~now).sum()), int((now & ~was).sum())
    drop = Estimate(value=None)
    if n:
        value = (lost - gained) / n
        drop = bounded_change(value, was, now, np.full(n, 1 / n), codes, level)
    return ClassDrop(
        n=n,
        groups=np.unique(codes).size,
        lost=lost,
        gained=gained,
        sensitivity_before=float(was.mean()) if n else None,
        sensitivity_after=float(now.mean()) if n else None,
        drop=drop,
    )


def _balanced(
    classes: list[ClassDrop],
    was: NDArray[np.bool_],
    now: NDArray[np.bool_],
    labels: Integers,
    codes: Integers,
    level: float,
) -> Estimate:
    drops = [each.drop.value for each in classes if each.drop.value is not None]
    if not drops:
        return Estimate(value=None)
    value = float(np.mean(drops))
    if min(each.groups for each in classes if each.n) < 2:
        return Estimate(value=value)
    # Each class weighs the same: an image weighs one over the images of its class.
    support = np.array([each.n for each in classes])
    return bounded_change(value, was, now, 1 / (support[labels] * len(drops)), codes, level)


def bounded_change(
    value: float,
    was: NDArray[np.bool_],
    now: NDArray[np.bool_],
    weights: Floats,
    codes: Integers,
    level: float,
) -> Estimate:
    """A weighted loss with one-sided bounds, from the net loss of each group.

    Args:
        value: The loss.
        was: Whether each unit was right before [n].
        now: Whether it is right after [n].
        weights: Weights of the units [n]; their sum is 1.
        codes: Number of the group of each unit [n].
        level: Level of each bound.
    """
    changes = (was.astype(np.float64) - now) * weights
    _, unit = np.unique(codes, return_inverse=True)
    losses, shares = (
        np.asarray(np.bincount(unit, weights=of), np.float64) for of in (changes, weights)
    )
    low, high = loss_bounds(losses, shares, level)
    return Estimate(value=value, low=min(low, value), high=max(high, value))
