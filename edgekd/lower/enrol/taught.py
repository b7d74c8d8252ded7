"""A head that is taught by few images, and how it answers on those that it was not taught."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone

import numpy as np
from numpy.typing import NDArray

from edgekd.bundle import EnrolledClass, HeadRecord
from edgekd.errors import InputError
from edgekd.metrics.few_shot import LeftOut, fit_head, leave_one_group_out

__all__ = ["MOST_IMAGES", "Lessons", "shortfall", "taught_head"]

MOST_IMAGES = 200
"""More take hours on a board: the head is fitted again without each lesion or patient."""
_DIGITS = 9
"""Significant digits of weights in the manifest, as many as a float32 has."""


@dataclass(frozen=True)
class Lessons:
    """What a head is taught by.

    Attributes:
        features: [N, F].
        labels: Class indices [N].
        groups: A number for the lesion or patient of each image [N].
        classes: Names of the classes.
    """

    features: NDArray[np.float64]
    labels: NDArray[np.int64]
    groups: NDArray[np.int64]
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse what is no lesson: one class, a class without images, or too many images."""
        if len(self.classes) < 2:
            message = f"a bundle tells classes apart, and there is one: {', '.join(self.classes)}"
            raise InputError(message, "give images of another class too, or of none of them")
        if len(self.labels) > MOST_IMAGES:
            message = f"{len(self.labels)} images are more than the {MOST_IMAGES} that enrol takes"
            raise InputError(message, "give fewer of each class, or train a student with all")


def taught_head(
    lessons: Lessons,
    inverse_strength: float,
    earlier: str,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> HeadRecord:
    """Fit a head to all images, and ask heads without each lesion or patient about its images.

    Args:
        lessons: What it is taught by.
        inverse_strength: C, see `edgekd.metrics.few_shot.fit_head`.
        earlier: SHA-256 of the bundle that is taught.
        tick: Takes the number of lesions or patients that were left out, and of all.

    Raises:
        InputError: A feature is not finite.
    """
    features, labels, groups = lessons.features, lessons.labels, lessons.groups
    count = len(lessons.classes)
    head = fit_head(features, labels, count, inverse_strength=inverse_strength)
    left = leave_one_group_out(
        features, labels, groups, count, inverse_strength=inverse_strength, tick=tick
    )
    balanced = left.balanced_accuracy
    return HeadRecord(
        weights=tuple(tuple(map(_rounded, row)) for row in head.weights.tolist()),
        bias=tuple(map(_rounded, head.bias.tolist())),
        classes=_classes(lessons, left),
        images=len(labels),
        groups=len(np.unique(groups)),
        inverse_strength=inverse_strength,
        date=datetime.now(timezone.utc).date().isoformat(),
        earlier=earlier,
        balanced_accuracy=balanced.value,
        balanced_accuracy_low=balanced.low,
        balanced_accuracy_high=balanced.high,
        not_measured=_not_measured(lessons, left),
    )


def shortfall(head: HeadRecord) -> str | None:
    """Why a head is not shown to be better than chance; None where it is.

    It is where the lower end of its balanced accuracy's interval lies above one over the number of
    its classes.
    """
    if head.not_measured is not None:
        return head.not_measured
    chance, low = 1.0 / len(head.bias), head.balanced_accuracy_low
    if low is not None and low > chance:
        return None
    value = f"{head.balanced_accuracy:.3f}"
    ends = "" if low is None else f" [{low:.3f}, {head.balanced_accuracy_high:.3f}]"
    return (
        f"its balanced accuracy on lesions or patients that were left out, {value}{ends}, is not "
        f"shown to exceed chance, {chance:.3f}"
    )


def _classes(lessons: Lessons, left: LeftOut) -> dict[str, EnrolledClass]:
    classes = {}
    for index, name in enumerate(lessons.classes):
        own, share = lessons.labels == index, left.sensitivity[index]
        right = int((left.answers[own] == index).sum())
        classes[name] = EnrolledClass(
            images=int(own.sum()),
            groups=len(np.unique(lessons.groups[own])),
            right=None if share.value is None else right,
            sensitivity=share.value,
            low=share.low,
            high=share.high,
        )
    return classes


def _not_measured(lessons: Lessons, left: LeftOut) -> str | None:
    """Why there is no balanced accuracy, with what is needed for one."""
    alone = [
        name
        for name, share in zip(lessons.classes, left.sensitivity, strict=True)
        if share.value is None
    ]
    if not alone:
        return None
    return (
        f"nothing was measured: the images of {', '.join(alone)} are of one lesion or patient, and "
        "one more of each class is needed to ask a head about what it was not taught"
    )


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
