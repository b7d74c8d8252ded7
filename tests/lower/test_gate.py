from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgekd.bundle import GateRecord
from edgekd.errors import InputError
from edgekd.lower.gate import judge
from edgekd.targets import GateLimits

LIMITS = GateLimits(max_flips=0.05, max_balanced_accuracy_drop=0.02, min_images=50)
RUNTIME = {"engine": "onnxruntime 1.31", "threads": 1}
COUNT, KINDS = 100, 4
TARGETS = np.arange(COUNT) % KINDS


def make_logits(wrong: int = 0) -> np.ndarray:
    """A student that is right but for the first `wrong` images."""
    decided = TARGETS.copy()
    decided[:wrong] = (decided[:wrong] + 1) % KINDS
    rng = np.random.default_rng(0)
    return (4 * np.eye(KINDS)[decided] + rng.normal(0, 0.1, (COUNT, KINDS))).astype(np.float32)


def run(student: Any, lowered: Any, targets: Any = TARGETS, **options: Any) -> GateRecord:
    return judge(student, lowered, targets, LIMITS, runtime=RUNTIME, **options)


def flip(logits: np.ndarray, count: int) -> np.ndarray:
    flipped = logits.copy()
    flipped[:count] = np.roll(flipped[:count], 1, axis=1)
    return flipped


def test_identical_logits_pass() -> None:
    gate = run(make_logits(), make_logits())
    assert gate.passed
    assert gate.reasons == ()
    assert (gate.images, gate.flips, gate.max_logit_difference) == (100, 0.0, 0.0)
    assert (gate.balanced_accuracy, gate.balanced_accuracy_drop) == (1.0, 0.0)


def test_record_says_limits_and_runtime() -> None:
    gate = run(make_logits(), make_logits())
    assert gate.limits == {
        "max_flips": 0.05, "max_balanced_accuracy_drop": 0.02, "min_images": 50.0,
    }  # fmt: skip
    assert gate.runtime == RUNTIME


def test_noise_that_flips_nothing_passes() -> None:
    student = make_logits()
    lowered = student + np.float32(0.25)
    gate = run(student, lowered)
    assert gate.passed
    assert gate.max_logit_difference == pytest.approx(0.25)


def test_flips_over_the_limit_fail_with_a_reason() -> None:
    student = make_logits()
    gate = run(student, flip(student, 6))
    assert not gate.passed
    assert gate.flips == pytest.approx(0.06)
    assert "6.0% of the decisions flip, more than 5.0%" in gate.reasons


def test_flips_at_the_limit_pass_where_accuracy_holds() -> None:
    student = make_logits(wrong=100)  # always wrong, so that no flip can cost accuracy
    gate = run(student, flip(student, 5))
    assert gate.flips == pytest.approx(0.05)
    assert gate.passed


def test_drop_over_the_limit_fails_though_few_decisions_flip() -> None:
    """Three flips that all hit the rarest class: what a limit on flips alone lets pass."""
    targets = np.where(np.arange(COUNT) < 6, 1, 0)
    student = (4 * np.eye(KINDS)[targets]).astype(np.float32)
    gate = run(student, flip(student, 3), targets)
    assert gate.flips == pytest.approx(0.03)
    assert gate.balanced_accuracy_drop == pytest.approx(0.25)
    assert not gate.passed
    assert len(gate.reasons) == 1
    assert "balanced accuracy drops from 1.000 to 0.750" in gate.reasons[0]


def test_better_file_is_no_loss() -> None:
    gate = run(make_logits(wrong=4), make_logits())
    assert gate.balanced_accuracy_drop == pytest.approx(-0.04)
    assert gate.passed


@pytest.mark.parametrize("count", [0, 1, 49])
def test_too_few_images_fail(count: int) -> None:
    logits = make_logits()[:count]
    gate = run(logits, logits, TARGETS[:count])
    assert not gate.passed
    assert gate.reasons == (f"{count} validation images are fewer than 50",)
    assert np.isfinite([gate.flips, gate.max_logit_difference, gate.balanced_accuracy]).all()


def test_just_enough_images_pass() -> None:
    logits = make_logits()[:50]
    assert run(logits, logits, TARGETS[:50]).passed


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_output_that_is_not_finite_fails(bad: float) -> None:
    lowered = make_logits()
    lowered[3, 1] = lowered[3, 2] = lowered[8, 0] = bad
    gate = run(make_logits(), lowered)
    assert not gate.passed
    assert "2 outputs are not finite" in gate.reasons
    assert gate.max_logit_difference == -1.0
    assert gate.balanced_accuracy == 0.0


def test_student_that_is_not_finite_is_told() -> None:
    student = make_logits()
    student[0, 0] = np.nan
    with pytest.raises(InputError, match="not finite"):
        run(student, make_logits())


def test_findings_fail_first() -> None:
    gate = run(make_logits(), flip(make_logits(), 10), findings=("a transpose before the cast",))
    assert not gate.passed
    assert gate.reasons[0] == "a transpose before the cast"
    assert len(gate.reasons) == 3
    clean = run(make_logits(), make_logits(), findings=("a transpose before the cast",))
    assert not clean.passed
