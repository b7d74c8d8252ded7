"""The gate: the saved file, run by its own runtime, beside the float student.

A loss that cannot be excluded counts as one: limits of evidence are held against the upper end of
the paired 95 % interval. What lacks evidence fails.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd.bundle import ClassChange, GateRecord
from edgekd.metrics import (
    ClassDrop,
    balanced_accuracy,
    expected_calibration_error,
    fit_temperature,
    paired_drops,
)
from edgekd.runtime.sessions.base import Facts
from edgekd.targets import GateLimits

__all__ = ["Judged", "judge", "lacking_evidence"]

PARITY = 0.01
"""What an fp32 file's logits may differ, of the largest one: more is no rounding, but a fault."""

Logits = NDArray[np.float32]


@dataclass(frozen=True)
class Judged:
    """What is judged on which images by which limits.

    Attributes:
        student: Logits [N, K] of the float student.
        targets: Class indices [N].
        classes: The K class names.
        limits: What may be lost.
        critical: Limits of the critical classes, by name.
    """

    student: Logits
    targets: NDArray[np.int64]
    classes: Sequence[str]
    limits: GateLimits
    critical: Mapping[str, float]


def judge(
    judged: Judged,
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
        class, or outputs that are not finite.
    """
    record = _measure(judged, lowered, runtime)
    reasons = [
        *lacking_evidence(judged),
        *_unlike(judged, lowered, record, exact),
        *_losses(judged, record),
        *_class_losses(record),
    ]
    return msgspec.structs.replace(record, passed=not reasons, reasons=tuple(reasons))


def lacking_evidence(judged: Judged) -> list[str]:
    """Why no file could pass on these images, whatever it answers; empty where one could."""
    limits, images = judged.limits, len(judged.targets)
    lacking = []
    if images < limits.min_images:
        lacking.append(f"{images} validation images are fewer than {limits.min_images}")
    for name, limit in judged.critical.items():
        own = int((judged.targets == judged.classes.index(name)).sum())
        if own < _needed(limit):
            lacking.append(
                f"no certificate for {name}: {own} images of it are fewer than the "
                f"{_needed(limit)} that a limit of {_points(limit)} needs"
            )
    return lacking


def _needed(limit: float) -> int:
    """Images of which none is lost before a loss of `limit` is excluded, by the rule of three."""
    return math.ceil(round(3 / limit, 6))


# ---- what is measured ----


def _measure(judged: Judged, lowered: Logits, runtime: Facts) -> GateRecord:
    finite = bool(np.isfinite(lowered).all())
    student, targets = judged.student, judged.targets
    drops = paired_drops(student, lowered, targets)
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


def _changes(judged: Judged, drops: Sequence[ClassDrop]) -> Iterator[tuple[str, ClassChange]]:
    for name, drop in zip(judged.classes, drops, strict=True):
        critical = name in judged.critical
        yield (
            name,
            ClassChange(
                images=drop.n,
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


def _unlike(judged: Judged, lowered: Logits, record: GateRecord, exact: bool) -> Iterator[str]:
    bad = int((~np.isfinite(lowered)).any(axis=1).sum())
    if bad:
        yield f"{bad} outputs are not finite"
    scale = float(np.abs(judged.student).max(initial=1.0))
    if exact and record.max_logit_difference > PARITY * scale:
        yield (
            f"logits differ by {record.max_logit_difference:.3g}, which is no rounding: the "
            "conversion is wrong"
        )


def _losses(judged: Judged, record: GateRecord) -> Iterator[str]:
    limits = judged.limits
    if record.flips > limits.max_flips:
        yield f"{record.flips:.1%} of the decisions flip, more than {limits.max_flips:.1%}"
    drop, high = record.balanced_accuracy_drop, record.balanced_accuracy_drop_high
    if _exceeds(drop if high is None else high, limits.max_balanced_accuracy_drop):
        yield (
            f"balanced accuracy may drop by {_points(high)} (measured {_points(drop)}), more than "
            f"{_points(limits.max_balanced_accuracy_drop)}"
        )
    increase = record.ece_increase
    if increase is not None and _exceeds(increase, limits.max_ece_increase):
        yield f"the calibration error grows by {increase:.3f}, more than {limits.max_ece_increase}"


def _class_losses(record: GateRecord) -> Iterator[str]:
    for name, change in record.per_class.items():
        if change.drop is None:
            continue
        if change.critical and _exceeds(_worst(change), change.limit):
            yield (
                f"sensitivity for {name} may drop by {_points(_worst(change))} (measured "
                f"{_points(change.drop)}: {change.lost} lost, {change.gained} gained of "
                f"{change.images}), more than {_points(change.limit)}"
            )
        elif not change.critical and _exceeds(change.drop, max(change.limit, 1 / change.images)):
            yield (
                f"sensitivity for {name} drops by {_points(change.drop)} ({change.lost} lost, "
                f"{change.gained} gained of {change.images}), more than {_points(change.limit)}"
            )


def _worst(change: ClassChange) -> float:
    """The upper end; what was measured where there is none (then images are too few anyway)."""
    return change.drop_high if change.drop_high is not None else change.drop or 0.0


def _exceeds(value: float, limit: float) -> bool:
    return value > limit + 1e-9  # a share that equals its limit keeps it, whatever its last bit


def _points(share: float | None) -> str:
    return "an unknown amount" if share is None else f"{100 * share:.1f} points"
