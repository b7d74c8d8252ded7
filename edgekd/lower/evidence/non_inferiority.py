"""A lowered file beside the teacher: whether it stays behind by no more than a margin.

Three states, as in trials of non-inferiority: the paired 95 % interval of the deficit (teacher
minus file, on the same images) lies below the margin (`not-inferior`), above it (`inferior`), or
contains it (`not-shown`). A wide interval is never a proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd.bundle.policy import TeacherRecord
from edgekd.lower.evidence.decision import DecisionRequirements
from edgekd.metrics.task import metrics_task
from edgekd.policy import TeacherMargin

__all__ = ["TeacherOutputs", "compare_with_teacher"]

Outputs = NDArray[np.float32]
State = Literal["not-inferior", "inferior", "not-shown"]


@dataclass(frozen=True)
class TeacherOutputs:
    """The teacher's outputs for the validation images.

    Attributes:
        outputs: [N, …]; None where there are none.
        reason: Why there are none.
    """

    outputs: Outputs | None
    reason: str = ""


def compare_with_teacher(
    margin: TeacherMargin,
    requirements: DecisionRequirements,
    teacher: TeacherOutputs,
    outputs: Outputs,
) -> TeacherRecord:
    """The comparison of a file with the teacher on the validation images.

    Args:
        margin: Margin of the policy.
        requirements: Targets, classes and groups of the images.
        teacher: The teacher's outputs.
        outputs: The file's outputs [N, …], finite.
    """
    record = TeacherRecord(
        state="not-measured",
        metric=margin.metric,
        margin=margin.margin,
        required=margin.required,
        reason=teacher.reason,
    )
    if teacher.outputs is None:
        return record
    difference = metrics_task(requirements.task).difference(
        teacher.outputs,
        outputs,
        requirements.targets,
        requirements.classes,
        ordered=requirements.ordered,
        groups=requirements.groups,
    )
    delta = difference.deltas.get(margin.metric)  # the file minus the teacher
    if delta is None or delta.value is None:
        known = ", ".join(difference.deltas)
        reason = f"these images and this task have no {margin.metric}; measured: {known}"
        return msgspec.structs.replace(record, reason=reason)
    low = None if delta.high is None else -delta.high
    high = None if delta.low is None else -delta.low
    return msgspec.structs.replace(
        record,
        state=_state(low, high, margin.margin),
        deficit=-delta.value,
        low=low,
        high=high,
        reason=None,
    )


def _state(low: float | None, high: float | None, margin: float) -> State:
    """State by the ends of the deficit's interval; without an interval nothing is shown."""
    if high is not None and high <= margin:
        return "not-inferior"
    if low is not None and low > margin:
        return "inferior"
    return "not-shown"
