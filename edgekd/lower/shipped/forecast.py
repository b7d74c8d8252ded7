"""What a student reaches under its policy by itself, before any file is lowered.

A lowered file is at most about as good as its float student. One that is below a floor, or whose
images could not prove any file, is found out in seconds and not after all bundles are built.
"""

from __future__ import annotations

from collections.abc import Callable

from edgekd.errors import GateFailedError
from edgekd.lower.evidence.capture import fit_capture, retaken
from edgekd.lower.evidence.decision import requirements_of
from edgekd.lower.evidence.non_inferiority import TeacherOutputs
from edgekd.lower.evidence.policy_check import blank_record, checked_record
from edgekd.lower.ladder_run import gate_reference
from edgekd.lower.source import Source
from edgekd.lower.task import evidence_task
from edgekd.policy import Policy

__all__ = ["refuse_hopeless"]


def refuse_hopeless(
    source: Source, policy: Policy, teacher: TeacherOutputs, say: Callable[[str], None]
) -> None:
    """Report what the float student reaches, and refuse one that no file could pass with.

    Args:
        source: The student with its validation images.
        policy: The policy.
        teacher: The teacher's outputs for them.
        say: Takes one line for each floor, and one for the margin to the teacher.

    Raises:
        GateFailedError: The student does not reach a floor, no decision meets the policy's
            requirements, or its images are too few for the gate whatever the file.
    """
    task = evidence_task(source.card.task)
    lacking = task.lacking_evidence(gate_reference(source, policy))
    if lacking:
        message = f"no file of this student can pass the policy {policy.name}: {'; '.join(lacking)}"
        raise GateFailedError(message, "split off more validation images, and train again")
    requirements = requirements_of(source, policy)
    fit = task.fit_decision(requirements, source.outputs)
    capture = fit_capture(source.images, policy.decision.capture_kept, policy.capture)
    record = checked_record(
        blank_record(policy, source.card.classes, research=True), policy.floors, policy.teacher,
        requirements, fit.decision, source.outputs, retaken(source.images, capture), teacher,
    )  # fmt: skip
    for floor in record.floors:
        say(f"floor {'met' if floor.met else 'NOT MET'}: {floor.sentence}")
    if record.teacher is not None:
        say(record.teacher.sentence)
    unmet = tuple(record.unmet())
    if unmet:
        message = f"the student is below a floor of the policy {policy.name}: {'; '.join(unmet)}"
        raise GateFailedError(message, "it does not ship: train a better student")
