"""The gate: the saved file, run by its own runtime, beside the float student."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgekd.bundle import GateRecord
from edgekd.metrics import balanced_accuracy
from edgekd.runtime.sessions.base import Facts
from edgekd.targets import GateLimits

__all__ = ["judge"]


def judge(
    student: NDArray[np.float32],
    lowered: NDArray[np.float32],
    targets: NDArray[np.int64],
    limits: GateLimits,
    *,
    runtime: Facts,
    findings: Sequence[str] = (),
) -> GateRecord:
    """Compare logits of the saved file with the float student's on the same images.

    Args:
        student: Logits [N, K] of the float student.
        lowered: Logits [N, K] of the saved file, by its own runtime.
        targets: Class indices [N].
        limits: What may be lost.
        runtime: What ran the file.
        findings: What a static check of the file found; any finding fails the gate.

    Returns:
        The verdict with its numbers. Missing evidence fails: too few images, or outputs that are
        not finite.
    """
    reasons = list(findings)
    if len(targets) < limits.min_images:
        reasons.append(f"{len(targets)} validation images are fewer than {limits.min_images}")
    finite = bool(np.isfinite(lowered).all())
    if not finite:
        reasons.append(f"{int((~np.isfinite(lowered)).any(axis=1).sum())} outputs are not finite")
    flipped = student.argmax(axis=1) != lowered.argmax(axis=1)
    flips = float(flipped.mean()) if len(targets) else 0.0
    before = balanced_accuracy(student, targets) or 0.0
    after = (balanced_accuracy(lowered, targets) or 0.0) if finite else 0.0
    if flips > limits.max_flips:
        reasons.append(f"{flips:.1%} of the decisions flip, more than {limits.max_flips:.1%}")
    if before - after > limits.max_balanced_accuracy_drop:
        reasons.append(
            f"balanced accuracy drops from {before:.3f} to {after:.3f}, by more than "
            f"{limits.max_balanced_accuracy_drop:.3f}"
        )
    return GateRecord(
        passed=not reasons,
        reasons=tuple(reasons),
        images=len(targets),
        max_logit_difference=float(np.abs(student - lowered).max(initial=0.0)) if finite else -1.0,
        flips=flips,
        balanced_accuracy=after,
        balanced_accuracy_drop=before - after,
        limits={
            "max_flips": limits.max_flips,
            "max_balanced_accuracy_drop": limits.max_balanced_accuracy_drop,
            "min_images": float(limits.min_images),
        },
        runtime=dict(runtime),
    )
