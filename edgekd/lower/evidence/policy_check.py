"""Whether a lowered file keeps its policy: the floors, and the margin to the teacher."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd.bundle.policy import PolicyRecord, PolicyWords
from edgekd.errors import GateFailedError
from edgekd.lower.evidence.decision import DecisionRequirements
from edgekd.lower.evidence.floors import check_floors
from edgekd.lower.evidence.non_inferiority import TeacherOutputs, compare_with_teacher
from edgekd.lower.task import evidence_task
from edgekd.policy import Floors, Policy, TeacherMargin

__all__ = ["FloorNotMetError", "blank_record", "checked_record"]


class FloorNotMetError(GateFailedError):
    """A lowered file does not reach a floor of its policy.

    Args:
        policy: Name of the policy.
        sentences: One for each floor that is not met.
    """

    def __init__(self, policy: str, sentences: Sequence[str]) -> None:
        super().__init__(
            f"a floor of the policy {policy} is not met: {'; '.join(sentences)}",
            "train a better student, or add --research to lower it for research alone",
        )


def blank_record(policy: Policy, classes: Sequence[str], *, research: bool) -> PolicyRecord:
    """The record of a policy for a model of these classes, before anything was measured."""
    words = policy.words
    return PolicyRecord(
        name=policy.name,
        title=policy.title,
        sha256=policy.sha256(),
        critical=policy.critical_of(classes),
        words=PolicyWords(first=words.first, group=words.group, groups=words.groups),
        research=research,
    )


def checked_record(
    record: PolicyRecord,
    floors: Floors,
    margin: TeacherMargin,
    requirements: DecisionRequirements,
    decision: Any,
    outputs: NDArray[np.float32],
    retaken: NDArray[np.bool_],
    teacher: TeacherOutputs,
) -> PolicyRecord:
    """The record with what one file reaches, on the images that its decision was fitted on.

    Args:
        record: Record of the policy, see `blank_record`.
        floors: What the file must reach.
        margin: By how much the file may stay behind the teacher.
        requirements: The labelled images.
        decision: Decision that was fitted to this very file.
        outputs: Outputs of the file [N, …].
        retaken: Whether each image [N] would have to be taken again.
        teacher: The teacher's outputs for the same images.

    Raises:
        FloorNotMetError: A floor is not met, and the build is not for research.
    """
    measures = evidence_task(requirements.task).floors(requirements, decision, outputs, retaken)
    checked = msgspec.structs.replace(
        record,
        floors=check_floors(floors, measures),
        teacher=compare_with_teacher(margin, requirements, teacher, outputs),
    )
    unmet = tuple(checked.unmet())
    if unmet and not record.research:
        raise FloorNotMetError(record.name, unmet)
    return checked
