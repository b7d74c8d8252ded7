"""The file beside the teacher: three states, and what was not measured."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekd.bundle.policy import TeacherRecord
from edgekd.lower.evidence.decision import DecisionRequirements
from edgekd.lower.evidence.non_inferiority import TeacherOutputs, compare_with_teacher
from edgekd.policy import DecisionRule, TeacherMargin

CLASSES = ("mel", "nv")


def logits(right: NDArray[np.bool_], targets: NDArray[np.int64]) -> NDArray[np.float32]:
    """Outputs [N, 2] that are right where `right` says so."""
    answers = np.where(right, targets, 1 - targets)
    return (2.0 * np.eye(2)[answers]).astype(np.float32)


def compared(
    teacher_right: float, file_right: float, images: int, margin: TeacherMargin
) -> TeacherRecord:
    """The comparison where teacher and file are right on the first images of each class."""
    targets = np.arange(images) % 2
    place = np.arange(images) / images
    requirements = DecisionRequirements(DecisionRule(), CLASSES, ("mel",), targets, {})
    teacher = TeacherOutputs(logits(place < teacher_right, targets))
    return compare_with_teacher(margin, requirements, teacher, logits(place < file_right, targets))


@pytest.mark.parametrize(
    ("teacher", "file", "images", "state"),
    [
        (0.9, 0.9, 400, "not-inferior"),
        (0.8, 0.9, 400, "not-inferior"),
        (0.9, 0.89, 2000, "not-inferior"),
        (0.9, 0.7, 400, "inferior"),
        (0.9, 0.86, 100, "not-shown"),  # within the margin, but too few images to show it
        (0.9, 0.84, 100, "not-shown"),  # beyond the margin, but too few images to show it
    ],
)
def test_three_states(teacher: float, file: float, images: int, state: str) -> None:
    record = compared(teacher, file, images, TeacherMargin(margin=0.05))
    assert record.state == state
    assert record.deficit == pytest.approx(teacher - file)
    assert record.low is not None
    assert record.high is not None
    assert record.low <= record.deficit <= record.high
    assert state.replace("-", " ") in record.sentence


def test_wide_interval_is_no_proof() -> None:
    """Twenty images: the interval holds zero and reaches beyond the margin."""
    record = compared(0.9, 0.8, 20, TeacherMargin(margin=0.05))
    assert record.low is not None
    assert record.high is not None
    assert record.low <= 0 < 0.05 < record.high
    assert record.state == "not-shown"


def test_without_a_teacher_nothing_is_claimed() -> None:
    requirements = DecisionRequirements(DecisionRule(), CLASSES, (), np.array([0, 1]), {})
    record = compare_with_teacher(
        TeacherMargin(), requirements, TeacherOutputs(None, "it is gone"), np.eye(2, dtype="f4")
    )
    assert (record.state, record.deficit) == ("not-measured", None)
    assert record.sentence.endswith("not measured, it is gone")


def test_metric_that_the_task_lacks_is_not_measured() -> None:
    record = compared(0.9, 0.9, 100, TeacherMargin(metric="dice"))
    assert record.state == "not-measured"
    assert "have no dice" in (record.reason or "")
