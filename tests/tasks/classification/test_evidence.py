"""The gate on made-up logits: each limit catches its own loss, and missing evidence fails."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgekd.bundle import GateRecord
from edgekd.errors import InputError
from edgekd.lower.evidence.gate import GateReference
from edgekd.policy import GateLimits, Words
from edgekd.tasks.classification.evidence import Evidence

LIMITS = GateLimits(
    max_flips=0.05,
    max_balanced_accuracy_drop=0.03,
    max_sensitivity_drop=0.1,
    max_ece_increase=0.02,
    min_images=50,
)
RUNTIME = {"engine": "onnxruntime 1.31", "threads": 1}
WORDS = Words(group="lesion or patient", groups="lesions or patients")
CLASSES = ("bkl", "df", "mel", "nv")
COUNT = 400
TARGETS = np.arange(COUNT) % len(CLASSES)


def make_logits(targets: np.ndarray = TARGETS, wrong: int = 0) -> np.ndarray:
    """A student that is right but for the first `wrong` images."""
    decided = targets.copy()
    decided[:wrong] = (decided[:wrong] + 1) % len(CLASSES)
    noise = np.random.default_rng(0).normal(0, 0.1, (len(targets), len(CLASSES)))
    return (4 * np.eye(len(CLASSES))[decided] + noise).astype(np.float32)


def flip(logits: np.ndarray, images: Any) -> np.ndarray:
    flipped = logits.copy()
    flipped[images] = np.roll(flipped[images], 1, axis=1)
    return flipped


def run(
    student: np.ndarray,
    lowered: np.ndarray,
    targets: np.ndarray = TARGETS,
    critical: dict[str, float] | None = None,
    exact: bool = False,
    groups: np.ndarray | None = None,
) -> GateRecord:
    reference = GateReference(
        student, targets, CLASSES, LIMITS, critical or {}, groups, words=WORDS
    )
    return Evidence().judge(reference, lowered, runtime=RUNTIME, exact=exact)


def test_identical_logits_pass() -> None:
    gate = run(make_logits(), make_logits(), critical={"mel": 0.05}, exact=True)
    assert gate.passed
    assert gate.reasons == ()
    assert (gate.images, gate.flips, gate.max_logit_difference) == (COUNT, 0.0, 0.0)
    assert (gate.balanced_accuracy, gate.balanced_accuracy_drop) == (1.0, 0.0)
    assert gate.ece_increase == 0.0
    change = gate.per_class["mel"]
    assert (change.images, change.lost, change.gained, change.drop) == (100, 0, 0, 0.0)


def test_record_says_limits_and_runtime() -> None:
    gate = run(make_logits(), make_logits(), critical={"mel": 0.05})
    assert gate.limits["max_flips"] == 0.05
    assert gate.limits["min_images"] == 50.0
    assert gate.runtime == RUNTIME
    assert (gate.per_class["mel"].critical, gate.per_class["mel"].limit) == (True, 0.05)
    assert (gate.per_class["nv"].critical, gate.per_class["nv"].limit) == (False, 0.1)


def test_a_shift_that_flips_nothing_passes() -> None:
    student = make_logits()
    gate = run(student, student + np.float32(0.25))
    assert gate.passed
    assert gate.max_logit_difference == pytest.approx(0.25)


def test_flips_over_the_limit_fail_with_a_reason() -> None:
    student = make_logits(wrong=COUNT)  # always wrong, so that no flip costs sensitivity
    gate = run(student, flip(student, slice(0, 24)))
    assert gate.flips == pytest.approx(0.06)
    assert "6.0% of the decisions flip, more than 5.0%" in gate.reasons


def test_flips_at_the_limit_pass_where_nothing_is_lost() -> None:
    student = make_logits(wrong=COUNT)
    gate = run(student, flip(student, slice(0, 20)))
    assert gate.flips == pytest.approx(0.05)
    assert gate.passed


def test_a_drop_that_cannot_be_excluded_counts() -> None:
    """2.25 points are measured, less than the limit of 3; up to 3.9 cannot be excluded."""
    student = make_logits()
    gate = run(student, flip(student, slice(0, 9)))
    assert gate.balanced_accuracy_drop == pytest.approx(0.0225)
    assert gate.balanced_accuracy_drop_high is not None
    assert gate.balanced_accuracy_drop_high > 0.03
    (reason,) = gate.reasons
    assert "balanced accuracy may drop by 3." in reason
    assert "(measured 2.3 points), more than 3.0 points" in reason


def test_a_loss_in_one_rare_class_is_caught_where_balanced_accuracy_lets_it_pass() -> None:
    """7 of 60 rare lesions are lost: 1.7 points of balanced accuracy over seven classes."""
    classes = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
    targets = np.concatenate([np.full(60, 3), np.arange(840) % 7])
    targets[60:][targets[60:] == 3] = 5
    student = np.eye(7, dtype=np.float32)[targets] * 4
    lowered = flip(student, slice(0, 7))
    reference = GateReference(student, targets, classes, LIMITS, {})
    gate = Evidence().judge(reference, lowered, runtime=RUNTIME)
    assert gate.flips < LIMITS.max_flips
    assert gate.balanced_accuracy_drop_high is not None
    assert gate.balanced_accuracy_drop_high < LIMITS.max_balanced_accuracy_drop
    assert gate.reasons == (
        "sensitivity for df drops by 11.7 points (7 lost, 0 gained of 60), more than 10.0 points",
    )


def test_a_class_of_few_images_may_lose_one() -> None:
    targets = np.where(np.arange(COUNT) < 8, 1, np.where(np.arange(COUNT) % 2, 0, 3))
    student = make_logits(targets)
    one, two = flip(student, [0]), flip(student, [0, 1])
    assert not [r for r in run(student, one, targets).reasons if "for df" in r]
    assert [r for r in run(student, two, targets).reasons if "for df" in r]


def test_the_limit_of_a_critical_class_is_one_of_evidence() -> None:
    """Three of 100 melanomas lost: within 5 points as measured, but 7.6 cannot be excluded."""
    student, melanomas = make_logits(), np.flatnonzero(TARGETS == 2)
    lowered = flip(student, melanomas[:3])
    assert run(student, lowered).passed
    gate = run(student, lowered, critical={"mel": 0.05})
    (reason,) = gate.reasons
    assert "sensitivity for mel may drop by" in reason
    assert "3 lost, 0 gained of 100" in reason
    assert run(student, flip(student, melanomas[:1]), critical={"mel": 0.05}).passed


def with_melanomas(count: int) -> np.ndarray:
    """Targets of so many melanomas and 120 images of every other class."""
    return np.repeat([0, 1, 2, 3], [120, 120, count, 120])


@pytest.mark.parametrize(("limit", "enough"), [(0.05, 59), (0.1, 29), (0.15, 19)])
def test_too_few_images_of_a_critical_class_are_no_certificate(limit: float, enough: int) -> None:
    """The number is that of the bound: with one more, a file that loses nothing passes."""
    for images, passes in ((enough - 1, False), (enough, True)):
        targets = with_melanomas(images)
        student = make_logits(targets)
        gate = run(student, student, targets, critical={"mel": limit})
        assert gate.passed is passes
        told = (
            f"no certificate for mel: {images} validation images, fewer than the {enough} that a "
            f"limit of {100 * limit:.1f} points needs: raise split.validation, or add images of mel"
        )
        assert gate.reasons == (() if passes else (told,))


def test_one_of_sixty_melanomas_is_too_many() -> None:
    """The paired bootstrap called that 5.0 points at most; it is 7.7."""
    targets = with_melanomas(60)
    student = make_logits(targets)
    gate = run(student, flip(student, [240]), targets, critical={"mel": 0.05})
    assert gate.per_class["mel"].lost == 1
    (reason,) = gate.reasons
    assert "sensitivity for mel may drop by 7.7 points (measured 1.7 points: 1 lost" in reason
    assert run(student, student, targets, critical={"mel": 0.05}).passed


def test_photos_of_one_lesion_are_no_lesions() -> None:
    """Sixty melanomas in six lesions show six melanomas."""
    targets = with_melanomas(60)
    student = make_logits(targets)
    groups = np.arange(targets.size)
    groups[240:300] = 1000 + np.arange(60) // 10
    gate = run(student, student, targets, critical={"mel": 0.05}, groups=groups)
    assert gate.per_class["mel"].groups == 6
    (reason,) = [one for one in gate.reasons if "mel" in one and "balanced" not in one]
    assert reason.startswith(
        "no certificate for mel: 60 validation images of 6 lesions or patients, worth 6 "
        "independent ones, fewer than the 59 that a limit of 5.0 points needs"
    )
    groups[240:300] = 1000 + np.arange(60)
    assert run(student, student, targets, critical={"mel": 0.05}, groups=groups).passed


@pytest.mark.parametrize("images", [0, 1])
def test_a_class_that_is_not_shown_twice_is_no_certificate(images: int) -> None:
    """All of df may be lost, and a quarter of the balanced accuracy with it."""
    targets = np.repeat([0, 1, 2, 3], [200, images, 200, 200])
    student = make_logits(targets)
    gate = run(student, student, targets)
    number = "1 validation image" if images else "no validation images"
    assert gate.reasons == (
        f"no certificate for balanced accuracy: df has {number}; two are needed at least: raise "
        "split.validation, or add images of df",
    )


def test_the_fewer_images_of_a_class_the_less_is_certain() -> None:
    """Refused with two, passed with one: so it was."""
    verdicts = []
    for images in (0, 1, 2, 4, 8, 30):
        targets = np.repeat([0, 1, 2, 3], [200, images, 200, 200])
        student = make_logits(targets)
        verdicts.append(run(student, student, targets).passed)
    assert verdicts == [False, False, False, False, False, True]


def test_several_photos_of_one_lesion_are_no_certificate_for_a_class() -> None:
    targets = np.repeat([0, 1, 2, 3], [200, 3, 200, 200])
    student = make_logits(targets)
    groups = np.arange(targets.size)
    groups[200:203] = 200
    gate = run(student, student, targets, groups=groups)
    assert "df has 3 validation images of 1 lesion or patient; two are" in gate.reasons[0]


def test_balanced_accuracy_that_the_images_cannot_show_is_told_with_the_rarest_class() -> None:
    targets = np.repeat([0, 1, 2, 3], [200, 3, 200, 200])
    student = make_logits(targets)
    (reason,) = run(student, student, targets).reasons
    assert reason.startswith("no certificate for balanced accuracy: if no image is lost, up to ")
    assert reason.endswith(
        "more than 3.0 points; raise split.validation, or add images, of df above all, which has "
        "3 validation images"
    )


def test_rare_classes_of_ham10000_are_evidence_enough() -> None:
    """As many validation images as its recipes leave: nine of df, twelve of vasc."""
    classes = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
    targets = np.repeat(np.arange(7), [27, 40, 87, 9, 74, 648, 12])
    student = np.eye(7, dtype=np.float32)[targets] * 4
    critical = {"mel": 0.05, "bcc": 0.1, "akiec": 0.15}
    reference = GateReference(student, targets, classes, LIMITS, critical)
    assert Evidence().judge(reference, student, runtime=RUNTIME).passed
    lowered = flip(student, [154])  # one df: 1.6 points
    gate = Evidence().judge(reference, lowered, runtime=RUNTIME)
    assert "balanced accuracy may drop by 5.5 points" in gate.reasons[0]


def test_without_a_limit_no_evidence_is_needed() -> None:
    targets = np.repeat([0, 2, 3], [20, 20, 20])
    student = make_logits(targets)
    limits = GateLimits(
        max_flips=1.0,
        max_balanced_accuracy_drop=1.0,
        max_sensitivity_drop=1.0,
        max_ece_increase=1.0,
    )
    reference = GateReference(student, targets, CLASSES, limits, {"df": 1.0, "mel": 1.0})
    assert Evidence().judge(reference, student, runtime=RUNTIME).passed


def test_better_file_is_no_loss() -> None:
    gate = run(make_logits(wrong=16), make_logits(), critical={"mel": 0.05})
    assert gate.balanced_accuracy_drop == pytest.approx(-0.04)
    assert gate.per_class["mel"].gained == 4
    assert gate.passed


def test_confidence_that_no_temperature_mends_fails() -> None:
    """The same decisions, but the sure ones are no longer those that are right."""
    student = make_logits(wrong=100)
    student[100:] *= 3  # the student knows when it is right
    lowered = student.copy()
    lowered[:50] *= 9
    gate = run(student, lowered)
    assert gate.flips == 0.0
    assert gate.ece_increase is not None
    assert gate.ece_increase > 0.02
    assert any("calibration error grows" in reason for reason in gate.reasons)


@pytest.mark.parametrize("count", [0, 1, 49])
def test_too_few_images_fail(count: int) -> None:
    logits = make_logits()[:count]
    gate = run(logits, logits, TARGETS[:count])
    assert not gate.passed
    assert gate.reasons[0] == (
        f"{count} validation images are fewer than 50: raise split.validation, or add images"
    )
    assert np.isfinite([gate.flips, gate.max_logit_difference, gate.balanced_accuracy]).all()


@pytest.mark.parametrize(("count", "passes"), [(50, False), (98, False), (100, True)])
def test_few_images_exclude_no_drop_of_balanced_accuracy(count: int, passes: bool) -> None:
    """At 50 the least number is there; the limit of three points needs 99."""
    logits = make_logits()[:count]
    gate = run(logits, logits, TARGETS[:count])
    assert gate.passed is passes
    assert passes or gate.reasons[0].startswith("no certificate for balanced accuracy")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_output_that_is_not_finite_fails(bad: float) -> None:
    lowered = make_logits()
    lowered[3, 1] = lowered[3, 2] = lowered[8, 0] = bad
    gate = run(make_logits(), lowered)
    assert not gate.passed
    assert "2 outputs are not finite" in gate.reasons
    assert gate.max_logit_difference == -1.0
    assert gate.balanced_accuracy == pytest.approx(0.995)  # both images count as wrong
    assert gate.ece is None


def test_student_that_is_not_finite_is_told() -> None:
    student = make_logits()
    student[0, 0] = np.nan
    with pytest.raises(InputError, match="not finite"):
        run(student, make_logits())


def test_an_exact_file_must_agree() -> None:
    """Nothing flips, yet logits that move by 2 % of the largest are no rounding."""
    student = make_logits()
    lowered = student + np.float32(0.1) * np.sign(student)
    assert run(student, lowered).passed
    gate = run(student, lowered, exact=True)
    assert any("the conversion is wrong" in reason for reason in gate.reasons)
