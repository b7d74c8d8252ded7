"""What the float student reaches is known before anything is lowered."""

from __future__ import annotations

from pathlib import Path

import lenient
import msgspec
import pytest

from edgekd.errors import GateFailedError
from edgekd.lower.evidence.non_inferiority import TeacherOutputs
from edgekd.lower.shipped.forecast import refuse_hopeless
from edgekd.lower.source import Source, load_source
from edgekd.policy import Policy, load_policy

WITHOUT_TEACHER = TeacherOutputs(None, "there is none")


@pytest.fixture(scope="module")
def source(small_run: Path) -> Source:
    return load_source(small_run)


def lenient_with(**floors: object) -> Policy:
    policy = load_policy(lenient.POLICY)
    return msgspec.structs.replace(policy, floors=msgspec.structs.replace(policy.floors, **floors))


def test_a_student_that_reaches_its_floors_goes_on(source: Source) -> None:
    lines: list[str] = []
    refuse_hopeless(source, lenient_with(answered=0.01), WITHOUT_TEACHER, lines.append)
    floor, margin = lines
    assert floor.startswith("floor met: ")
    assert "reaches 0.01" in floor
    assert "not measured, there is none" in margin


def test_a_student_below_a_floor_is_refused_with_all_of_them(source: Source) -> None:
    lines: list[str] = []
    policy = lenient_with(answered=1.0)
    with pytest.raises(GateFailedError, match=r"below a floor .* does not reach 1") as caught:
        refuse_hopeless(source, policy, WITHOUT_TEACHER, lines.append)
    assert "train a better student" in caught.value.hint
    assert any(line.startswith("floor NOT MET: ") for line in lines)


def test_images_that_could_prove_no_file_are_refused(source: Source) -> None:
    """The few images of the demonstration are no certificate for dermoscopy's limits."""
    with pytest.raises(GateFailedError, match="no file of this student can pass the policy derm"):
        refuse_hopeless(source, load_policy("dermoscopy"), WITHOUT_TEACHER, print)


def test_the_margin_to_the_teacher_counts_where_the_policy_requires_it(source: Source) -> None:
    policy = load_policy(lenient.POLICY)
    margin = msgspec.structs.replace(policy.teacher, required=True)
    policy = msgspec.structs.replace(policy, teacher=margin)
    with pytest.raises(GateFailedError, match="below a floor of the policy"):
        refuse_hopeless(source, policy, WITHOUT_TEACHER, print)
