"""The gate: a lowered file in its own runtime against the float student; shared by all tasks.

A loss that cannot be excluded counts as one: limits of evidence are held against the upper
one-sided 95 % bound of the loss. Every class is tested at that level without a correction for
their number, since a file has to pass all of them: it passes although one class loses more than its
limit in at most 5 % of cases, whatever the others do (intersection-union test; Berger 1982,
"Multiparameter hypothesis testing and acceptance sampling"). Missing evidence fails the gate.

How the losses are measured is the task's: see `edgekd.lower.task.EvidenceTask`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekd.bundle import ClassChange, GateRecord
from edgekd.bundle.policy import PolicyWords
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.metrics import ClassDrop, Estimate, effective_images, least_images
from edgekd.policy import GateLimits

__all__ = [
    "Changes",
    "GateReference",
    "class_change",
    "conversion_faults",
    "exceeds",
    "losses",
    "missing_certificates",
    "output_difference",
    "points",
    "too_few_images",
]

PARITY = 0.01
"""Largest difference of an fp32 file's outputs from the student's, as a share of the largest
output; more is a conversion fault rather than rounding."""

Outputs = NDArray[np.float32]


@dataclass(frozen=True)
class GateReference:
    """The float student's outputs that lowered files are compared with, and the limits.

    Attributes:
        student: Outputs [N, …] of the float student.
        targets: Targets of the images [N, …], as the task's data layer makes them.
        classes: The class names.
        limits: Limits of losses.
        critical: Limits of the critical classes, by name.
        groups: A number for the lesion or patient of each image [N]; None where none are known.
        task: Name of the task.
        task_limits: The policy's keys for this task, `Policy.tasks`.
        words: The policy's words, for messages.
    """

    student: Outputs
    targets: NDArray[Any]
    classes: Sequence[str]
    limits: GateLimits
    critical: Mapping[str, float]
    groups: NDArray[np.int64] | None = None
    task: str = DEFAULT_TASK
    task_limits: Mapping[str, Any] = field(default_factory=dict)
    words: PolicyWords = field(default_factory=PolicyWords)


@dataclass(frozen=True)
class Changes:
    """What outputs lose against the float student's on the same images, paired.

    Attributes:
        per_class: Loss of each class; empty for a task without classes.
        balanced_accuracy: Balanced accuracy of the outputs; None where the task has none.
        balanced_accuracy_drop: Student minus outputs; `high` is its upper one-sided 95 % bound.
    """

    per_class: Mapping[str, ClassChange] = field(default_factory=dict)
    balanced_accuracy: float | None = None
    balanced_accuracy_drop: Estimate | None = None


def class_change(reference: GateReference, name: str, drop: ClassDrop) -> ClassChange:
    """The record of one class's loss, with the limit that holds for it."""
    critical = name in reference.critical
    return ClassChange(
        images=drop.n,
        groups=drop.groups,
        lost=drop.lost,
        gained=drop.gained,
        drop=drop.drop.value,
        drop_high=drop.drop.high,
        critical=critical,
        limit=reference.critical[name] if critical else reference.limits.max_sensitivity_drop,
    )


# ---- evidence that the images cannot give ----


def too_few_images(reference: GateReference) -> Iterator[str]:
    """One sentence where there are fewer images than `GateLimits.min_images`."""
    images, least = len(reference.targets), reference.limits.min_images
    if images < least:
        yield (
            f"{images} validation images are fewer than {least}: raise split.validation, or add "
            "images"
        )


def missing_certificates(reference: GateReference, lossless: Changes) -> Iterator[str]:
    """Limits that no file could prove on these images, whatever its outputs.

    Args:
        reference: The images and the limits.
        lossless: Changes of a file whose outputs are the student's; no file can prove more.
    """
    yield from _uncertain_balanced_accuracy(reference, lossless)
    for name, limit in reference.critical.items():
        change = lossless.per_class.get(name)
        if change is not None and exceeds(_upper(change), limit):
            yield _uncertain_class(reference, name, change)


def _uncertain_balanced_accuracy(reference: GateReference, lossless: Changes) -> Iterator[str]:
    """A class with hardly any images may be lost entirely, and its share of the mean with it."""
    limit, least = reference.limits.max_balanced_accuracy_drop, _least_drop(lossless)
    if not exceeds(least, limit):
        return
    unseen = {name: one for name, one in lossless.per_class.items() if (one.groups or 0) < 2}
    for name, change in unseen.items():
        yield (
            f"no certificate for balanced accuracy: {name} has {_number(reference, change)}; two "
            f"are needed at least: raise split.validation, or add images of {name}"
        )
    if not unseen:
        name, change = min(lossless.per_class.items(), key=lambda item: item[1].groups or 0)
        yield (
            f"no certificate for balanced accuracy: if no image is lost, up to {points(least)} may "
            f"be, more than {points(limit)}; raise split.validation, or add images, of {name} "
            f"above all, which has {_number(reference, change)}"
        )


def _uncertain_class(reference: GateReference, name: str, change: ClassChange) -> str:
    number, limit = _number(reference, change), reference.critical[name]
    if 0 < (change.groups or 0) < change.images:
        number += f", worth {int(round(effective_images(_upper(change)), 6))} independent ones"
    return (
        f"no certificate for {name}: {number}, fewer than the {least_images(limit)} that a limit "
        f"of {points(limit)} needs: raise split.validation, or add images of {name}"
    )


def _least_drop(lossless: Changes) -> float:
    """The drop of balanced accuracy that cannot be excluded where nothing is lost.

    1 where it has no bound, 0 where the task has no balanced accuracy.
    """
    drop = lossless.balanced_accuracy_drop
    if drop is None:
        return 0.0
    if drop.high is None or any((one.groups or 0) < 2 for one in lossless.per_class.values()):
        return 1.0
    return drop.high


def _upper(change: ClassChange) -> float:
    return 1.0 if change.drop_high is None else change.drop_high


def _number(reference: GateReference, change: ClassChange) -> str:
    """Numbers of images and of groups of a class, for messages."""
    images = f"{change.images or 'no'} validation image{'' if change.images == 1 else 's'}"
    if change.groups == change.images:
        return images
    words = reference.words
    return f"{images} of {change.groups} {words.group if change.groups == 1 else words.groups}"


# ---- losses over their limits ----


def output_difference(student: Outputs, lowered: Outputs) -> float:
    """Largest absolute difference of any output; -1 where one of `lowered` is not finite."""
    if not np.isfinite(lowered).all():
        return -1.0
    return float(np.abs(student - lowered).max(initial=0.0))


def conversion_faults(reference: GateReference, lowered: Outputs, *, exact: bool) -> Iterator[str]:
    """Outputs that no correct conversion has.

    Args:
        reference: The student's outputs.
        lowered: Outputs of the file [N, …].
        exact: Whether the file has the student's own precision; it must then agree with it.
    """
    finite = np.isfinite(lowered).all(axis=tuple(range(1, lowered.ndim)))
    if not finite.all():
        yield f"{int((~finite).sum())} outputs are not finite"
    difference = output_difference(reference.student, lowered)
    if exact and difference > PARITY * float(np.abs(reference.student).max(initial=1.0)):
        yield f"logits differ by {difference:.3g}, which is no rounding: the conversion is wrong"


def losses(reference: GateReference, record: GateRecord, lossless: Changes) -> Iterator[str]:
    """One sentence for each limit that the measured losses exceed.

    Limits that no file could prove on these images are left to `missing_certificates`.
    """
    limits = reference.limits
    if record.flips > limits.max_flips:
        yield f"{record.flips:.1%} of the decisions flip, more than {limits.max_flips:.1%}"
    drop, high = record.balanced_accuracy_drop, record.balanced_accuracy_drop_high
    limit = limits.max_balanced_accuracy_drop
    provable = not exceeds(_least_drop(lossless), limit)
    if provable and drop is not None and high is not None and exceeds(high, limit):
        yield (
            f"balanced accuracy may drop by {points(high)} (measured {points(drop)}), more than "
            f"{points(limit)}"
        )
    increase = record.ece_increase
    if increase is not None and exceeds(increase, limits.max_ece_increase):
        yield f"the calibration error grows by {increase:.3f}, more than {limits.max_ece_increase}"
    for name, change in record.per_class.items():
        yield from _class_losses(name, change, lossless.per_class[name])


def _class_losses(name: str, change: ClassChange, lossless: ClassChange) -> Iterator[str]:
    if change.drop is None or change.drop_high is None:
        return
    counts = f"{change.lost} lost, {change.gained} gained of {change.images}"
    provable = not exceeds(_upper(lossless), change.limit)
    if change.critical and provable and exceeds(change.drop_high, change.limit):
        yield (
            f"sensitivity for {name} may drop by {points(change.drop_high)} (measured "
            f"{points(change.drop)}: {counts}), more than {points(change.limit)}"
        )
    elif not change.critical and exceeds(change.drop, max(change.limit, 1 / change.images)):
        yield (
            f"sensitivity for {name} drops by {points(change.drop)} ({counts}), more than "
            f"{points(change.limit)}"
        )


def exceeds(value: float, limit: float) -> bool:
    """Whether a share is above its limit by more than rounding."""
    return value > limit + 1e-9


def points(share: float) -> str:
    """A share in percentage points, for messages."""
    return f"{100 * share:.1f} points"
