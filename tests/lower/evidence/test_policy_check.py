"""One file held to its policy: the floors, the margin to the teacher, and builds for research."""

from __future__ import annotations

import lenient
import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from edgekd.bundle.policy import PolicyRecord
from edgekd.errors import GateFailedError
from edgekd.lower.evidence.decision import DecisionRequirements
from edgekd.lower.evidence.non_inferiority import TeacherOutputs
from edgekd.lower.evidence.policy_check import FloorNotMetError, blank_record, checked_record
from edgekd.policy import DecisionRule, Floors, Policy, TeacherMargin, Words, load_policy
from edgekd.tasks.classification.manifest import Decision

CLASSES = ("bkl", "mel", "nv")
TARGETS = np.repeat([0, 1, 2], [80, 60, 160])
LOGITS = (5 * np.eye(3)[TARGETS]).astype(np.float32)
CONSTANT = np.tile(np.array([[0.0, 0.0, 4.0]], np.float32), (len(TARGETS), 1))
NOBODY = np.zeros(len(TARGETS), np.bool_)
FLOORS = Floors(noticed=0.9, answered=0.5, specificity=0.5)
REQUIREMENTS = DecisionRequirements(DecisionRule(), CLASSES, ("mel",), TARGETS, {})
POLICY = msgspec.structs.replace(
    load_policy(lenient.POLICY),
    name="mine",
    title="My policy",
    critical={"MEL": 0.05, "scc": 0.1},
    words=Words(first=("mel",), group="lesion", groups="lesions"),
)


def checked(
    outputs: NDArray[np.float32],
    *,
    research: bool = False,
    floors: Floors = FLOORS,
    margin: TeacherMargin | None = None,
    teacher: TeacherOutputs | None = None,
) -> PolicyRecord:
    return checked_record(
        blank_record(POLICY, CLASSES, research=research),
        floors,
        margin or TeacherMargin(margin=0.05),
        REQUIREMENTS,
        Decision(),
        outputs,
        NOBODY,
        teacher or TeacherOutputs(None, "no teacher was kept"),
    )


@pytest.mark.parametrize("research", [False, True])
def test_a_blank_record_has_the_policy_and_the_classes_of_the_model(research: bool) -> None:
    record = blank_record(POLICY, CLASSES, research=research)
    assert (record.name, record.title, record.research) == ("mine", "My policy", research)
    assert record.sha256 == POLICY.sha256()
    assert record.critical == {"mel": 0.05}
    assert (record.words.first, record.words.group, record.words.groups) == (
        ("mel",), "lesion", "lesions",
    )  # fmt: skip
    assert record.floors == ()
    assert record.teacher is None


def test_another_limit_is_another_policy() -> None:
    stricter: Policy = msgspec.structs.replace(POLICY, critical={"MEL": 0.04})
    first, second = (blank_record(each, CLASSES, research=False) for each in (POLICY, stricter))
    assert first.sha256 != second.sha256


def test_a_good_file_reaches_every_floor() -> None:
    record = checked(LOGITS)
    assert [floor.code for floor in record.floors] == [
        "beyond-chance", "noticed", "answered", "specificity",
    ]  # fmt: skip
    assert all(floor.met for floor in record.floors)
    assert record.teacher is not None
    assert (record.teacher.state, record.teacher.reason) == ("not-measured", "no teacher was kept")


def test_a_file_below_a_floor_is_refused_with_every_floor_that_it_misses() -> None:
    with pytest.raises(FloorNotMetError) as caught:
        checked(CONSTANT)
    error = caught.value
    assert isinstance(error, GateFailedError)
    assert error.message.startswith("a floor of the policy mine is not met: balanced accuracy is ")
    assert "; the share of mel images" in error.message
    assert "specificity" not in error.message  # which it reaches
    assert "--research" in error.hint


def test_a_build_for_research_takes_it_and_records_what_is_missed() -> None:
    record = checked(CONSTANT, research=True)
    assert record.research
    assert {floor.code for floor in record.floors if not floor.met} == {"beyond-chance", "noticed"}
    assert len(tuple(record.unmet())) == 2


@pytest.mark.parametrize("required", [True, False])
def test_a_file_behind_the_teacher_is_refused_where_the_policy_requires_the_margin(
    required: bool,
) -> None:
    margin = TeacherMargin(margin=0.05, required=required)
    teacher = TeacherOutputs(LOGITS)
    floors = Floors(beyond_chance=False)
    assert checked(LOGITS, floors=floors, margin=margin, teacher=teacher).teacher is not None
    if required:
        with pytest.raises(FloorNotMetError, match="teacher"):
            checked(CONSTANT, floors=floors, margin=margin, teacher=teacher)
    else:
        record = checked(CONSTANT, floors=floors, margin=margin, teacher=teacher).teacher
        assert record is not None
        assert record.state == "inferior"
