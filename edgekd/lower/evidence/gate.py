"""The gate: the saved file, run by its own runtime, beside the float student.

A loss that cannot be excluded counts as one: limits of evidence are held against the upper
one-sided 95 % bound of the loss. Every class is tested at that level with nothing taken off for
their number, since a file has to pass all of them: it passes although one class loses more than its
limit in at most 5 % of cases, whatever the others do (intersection-union test; Berger 1982,
"Multiparameter hypothesis testing and acceptance sampling"). What lacks evidence fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd.bundle import ClassChange, GateRecord
from edgekd.metrics import (
    ClassDrop,
    PairedDrops,
    balanced_accuracy,
    effective_images,
    expected_calibration_error,
    fit_temperature,
    least_images,
    paired_drops,
)
from edgekd.runtime.sessions.base import Facts
from edgekd.targets import GateLimits

__all__ = ["GateReference", "judge", "lacking_evidence"]

PARITY = 0.01
"""What an fp32 file's logits may differ, of the largest one: more is no rounding, but a fault."""

Logits = NDArray[np.float32]


@dataclass(frozen=True)
class GateReference:
    """What is judged on which images by which limits.

    Attributes:
        student: Logits [N, K] of the float student.
        targets: Class indices [N].
        classes: The K class names.
        limits: What may be lost.
        critical: Limits of the critical classes, by name.
        groups: A number for the lesion or patient of each image [N]; None where none are known.
    """

    student: Logits
    targets: NDArray[np.int64]
    classes: Sequence[str]
    limits: GateLimits
    critical: Mapping[str, float]
    groups: NDArray[np.int64] | None = None

    @cached_property
    def lossless(self) -> PairedDrops:
        """The bounds of a file that decides all as the student does: none can prove more."""
        return paired_drops(self.student, self.student, self.targets, groups=self.groups)


def judge(
    judged: GateReference,
    lowered: Logits,
    *,
    runtime: Facts,
    exact: bool = False,
) -> GateRecord:
    """Compare logits of the saved file with the float student's on the same images.

    Args:
        judged: The student, the images and the limits.
        lowered: Logits [N, K] of the saved file, by its own runtime.
        runtime: What ran the file.
        exact: Whether the file claims the student's own precision; it must then agree with it.

    Returns:
        The verdict with its numbers. Missing evidence fails: too few images, too few of a critical
        class, a class with none or one, or outputs that are not finite.
    """
    record = _measure(judged, lowered, runtime)
    reasons = [
        *lacking_evidence(judged),
        *_unlike(judged, lowered, record, exact),
        *_losses(judged, record),
        *_class_losses(judged, record),
    ]
    return msgspec.structs.replace(record, passed=not reasons, reasons=tuple(reasons))


def lacking_evidence(judged: GateReference) -> list[str]:
    """Why no file could pass on these images, whatever it answers; empty where one could."""
    limits, images = judged.limits, len(judged.targets)
    few = (
        f"{images} validation images are fewer than {limits.min_images}: raise split.validation, "
        "or add images"
    )
    return [
        *([few] if images < limits.min_images else []),
        *_no_certificate_for_balanced_accuracy(judged),
        *_no_certificates_for_classes(judged),
    ]


def _no_certificate_for_balanced_accuracy(judged: GateReference) -> Iterator[str]:
    """A class that the images hardly show may be lost as a whole, and its share of the mean."""
    limit = judged.limits.max_balanced_accuracy_drop
    if not _exceeds(_least_drop(judged), limit):
        return
    found = dict(zip(judged.classes, judged.lossless.classes, strict=True))
    unseen = {name: one for name, one in found.items() if one.groups < 2}
    for name, one in unseen.items():
        yield (
            f"no certificate for balanced accuracy: {name} has {_number(one)}; two are needed at "
            f"least: raise split.validation, or add images of {name}"
        )
    if not unseen:
        name, one = min(found.items(), key=lambda item: item[1].groups)
        yield (
            f"no certificate for balanced accuracy: if no image is lost, up to "
            f"{_points(_least_drop(judged))} may be, more than {_points(limit)}; raise "
            f"split.validation, or add images, of {name} above all, which has {_number(one)}"
        )


def _no_certificates_for_classes(judged: GateReference) -> Iterator[str]:
    for name, limit in judged.critical.items():
        one = judged.lossless.classes[judged.classes.index(name)]
        if _exceeds(_upper(one), limit):
            number = _number(one)
            if 0 < one.groups < one.n:
                worth = int(round(effective_images(_upper(one)), 6))
                number += f", worth {worth} independent ones"
            yield (
                f"no certificate for {name}: {number}, fewer than the {least_images(limit)} that a "
                f"limit of {_points(limit)} needs: raise split.validation, or add images of {name}"
            )


def _least_drop(judged: GateReference) -> float:
    """What balanced accuracy may drop by where nothing is lost; all of it where that is unknown."""
    if min(one.groups for one in judged.lossless.classes) < 2:
        return 1.0
    high = judged.lossless.balanced_accuracy_drop.high
    return 1.0 if high is None else high


def _upper(drop: ClassDrop) -> float:
    return 1.0 if drop.drop.high is None else drop.drop.high


def _number(drop: ClassDrop) -> str:
    """How many images there are of a class, and of how many lesions or patients."""
    images = f"{drop.n or 'no'} validation image{'' if drop.n == 1 else 's'}"
    if drop.groups == drop.n:
        return images
    return f"{images} of {drop.groups} " + (
        "lesion or patient" if drop.groups == 1 else "lesions or patients"
    )


# ---- what is measured ----


def _measure(judged: GateReference, lowered: Logits, runtime: Facts) -> GateRecord:
    finite = bool(np.isfinite(lowered).all())
    student, targets = judged.student, judged.targets
    drops = paired_drops(student, lowered, targets, groups=judged.groups)
    ece = _calibrated_error(lowered, targets) if finite else None
    own = _calibrated_error(student, targets)
    flipped = student.argmax(axis=1) != lowered.argmax(axis=1)
    drop = drops.balanced_accuracy_drop
    return GateRecord(
        passed=False,
        reasons=(),
        images=len(targets),
        max_logit_difference=float(np.abs(student - lowered).max(initial=0.0)) if finite else -1.0,
        flips=float(flipped.mean()) if len(targets) else 0.0,
        balanced_accuracy=(balanced_accuracy(student, targets) or 0.0) - (drop.value or 0.0),
        balanced_accuracy_drop=drop.value or 0.0,
        balanced_accuracy_drop_high=drop.high,
        ece=ece,
        ece_increase=None if ece is None or own is None else ece - own,
        per_class=dict(_changes(judged, drops.classes)),
        limits=_limits(judged.limits),
        runtime=dict(runtime),
    )


def _calibrated_error(logits: Logits, targets: NDArray[np.int64]) -> float | None:
    """ECE with the temperature that is fitted on these very logits."""
    if not len(targets):
        return None
    return expected_calibration_error(logits / fit_temperature(logits, targets), targets)


def _changes(
    judged: GateReference, drops: Sequence[ClassDrop]
) -> Iterator[tuple[str, ClassChange]]:
    for name, drop in zip(judged.classes, drops, strict=True):
        critical = name in judged.critical
        yield (
            name,
            ClassChange(
                images=drop.n,
                groups=drop.groups,
                lost=drop.lost,
                gained=drop.gained,
                drop=drop.drop.value,
                drop_high=drop.drop.high,
                critical=critical,
                limit=judged.critical[name] if critical else judged.limits.max_sensitivity_drop,
            ),
        )


def _limits(limits: GateLimits) -> dict[str, float]:
    return {name: float(value) for name, value in msgspec.structs.asdict(limits).items()}


# ---- what it is held against ----


def _unlike(
    judged: GateReference, lowered: Logits, record: GateRecord, exact: bool
) -> Iterator[str]:
    bad = int((~np.isfinite(lowered)).any(axis=1).sum())
    if bad:
        yield f"{bad} outputs are not finite"
    scale = float(np.abs(judged.student).max(initial=1.0))
    if exact and record.max_logit_difference > PARITY * scale:
        yield (
            f"logits differ by {record.max_logit_difference:.3g}, which is no rounding: the "
            "conversion is wrong"
        )


def _losses(judged: GateReference, record: GateRecord) -> Iterator[str]:
    limits = judged.limits
    if record.flips > limits.max_flips:
        yield f"{record.flips:.1%} of the decisions flip, more than {limits.max_flips:.1%}"
    drop, high = record.balanced_accuracy_drop, record.balanced_accuracy_drop_high
    certain = not _exceeds(_least_drop(judged), limits.max_balanced_accuracy_drop)
    if certain and high is not None and _exceeds(high, limits.max_balanced_accuracy_drop):
        yield (
            f"balanced accuracy may drop by {_points(high)} (measured {_points(drop)}), more than "
            f"{_points(limits.max_balanced_accuracy_drop)}"
        )
    increase = record.ece_increase
    if increase is not None and _exceeds(increase, limits.max_ece_increase):
        yield f"the calibration error grows by {increase:.3f}, more than {limits.max_ece_increase}"


def _class_losses(judged: GateReference, record: GateRecord) -> Iterator[str]:
    blank = dict(zip(judged.classes, judged.lossless.classes, strict=True))
    for name, change in record.per_class.items():
        if change.drop is None or change.drop_high is None:
            continue
        certain = not _exceeds(_upper(blank[name]), change.limit)
        if change.critical and certain and _exceeds(change.drop_high, change.limit):
            yield (
                f"sensitivity for {name} may drop by {_points(change.drop_high)} (measured "
                f"{_points(change.drop)}: {change.lost} lost, {change.gained} gained of "
                f"{change.images}), more than {_points(change.limit)}"
            )
        elif not change.critical and _exceeds(change.drop, max(change.limit, 1 / change.images)):
            yield (
                f"sensitivity for {name} drops by {_points(change.drop)} ({change.lost} lost, "
                f"{change.gained} gained of {change.images}), more than {_points(change.limit)}"
            )


def _exceeds(value: float, limit: float) -> bool:
    return value > limit + 1e-9  # a share that equals its limit keeps it, whatever its last bit


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"
