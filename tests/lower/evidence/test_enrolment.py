"""The card's section on what a bundle was taught."""

from __future__ import annotations

from edgekd.bundle import EnrolledClass, HeadRecord
from edgekd.bundle.policy import PolicyWords
from edgekd.lower.evidence.enrolment import enrolment_lines, share_text

CLASSES = {
    "scar": EnrolledClass(images=5, groups=4, right=4, sensitivity=0.8, low=0.4, high=0.95),
    "wart": EnrolledClass(images=3, groups=1),
}


def test_measured_classes_have_their_share_and_others_say_so() -> None:
    head = HeadRecord(
        weights=((1.0, 2.0), (0.0, 1.0)), bias=(0.0, 0.0), classes=CLASSES, images=8, groups=5,
        date="2026-11-30", earlier="abcdef" * 4, not_measured="wart is alone",
    )  # fmt: skip
    lines = list(enrolment_lines(head, PolicyWords(group="lesion", groups="lesions")))
    assert "- 8 images of 5 lesions, on 2026-11-30; a logistic head on 2 features of unit " in (
        lines[2] + " "
    )
    assert "- The bundle that was taught: abcdefabcdef" in lines
    assert "- **Not measured**: wart is alone" in lines
    assert lines[-2:] == [
        "| scar | 5 | 4 | 4 | 0.800 [0.400, 0.950] |", "| wart | 3 | 1 | not measured |  |",
    ]  # fmt: skip


def test_a_measured_head_has_its_balanced_accuracy() -> None:
    head = HeadRecord(
        weights=((1.0,), (0.0,)), bias=(0.0, 0.0), balanced_accuracy=0.75,
        balanced_accuracy_low=0.5, balanced_accuracy_high=0.9,
    )  # fmt: skip
    lines = list(enrolment_lines(head, PolicyWords(group="patient", groups="patients")))
    assert "- Balanced accuracy, each patient left out in turn: 0.750 [0.500, 0.900]" in lines
    assert "- The bundle that was taught: unknown" in lines


def test_a_share_without_an_interval() -> None:
    assert share_text(0.5, None, None) == "0.500"
    assert share_text(None, None, None) == ""
