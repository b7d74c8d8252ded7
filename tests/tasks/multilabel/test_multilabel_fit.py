"""The decision on findings, against what counting and sorting give without edgekd's metrics."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from edgekd.errors import GateFailedError
from edgekd.lower.evidence.decision import DecisionRequirements, Fit
from edgekd.policy import DecisionRule
from edgekd.runtime.task import device_task
from edgekd.tasks.multilabel.evidence import Evidence
from edgekd.tasks.multilabel.fit import fit_decision, fit_temperature
from edgekd.tasks.multilabel.outcome import decide

FINDINGS = ("network", "streaks", "veil")
VEIL = 2
N = 300
RULE = DecisionRule(critical_sensitivity=0.9)


def make_images() -> tuple[np.ndarray, np.ndarray]:
    """Logits of an overconfident network; no two values are the same."""
    rng = np.random.default_rng(0)
    targets = (rng.random((N, 3)) < (0.5, 0.3, 0.3)).astype(np.float32)
    logits = rng.normal(0, 1, (N, 3)) + 1.2 * (2 * targets - 1)
    return (4 * logits).astype(np.float32), targets


LOGITS, TARGETS = make_images()
TRUE = TARGETS > 0
NOBODY = np.zeros(N, np.bool_)


def requirements(
    rule: DecisionRule = RULE, critical: tuple[str, ...] = ("veil",), **options: Any
) -> DecisionRequirements:
    return DecisionRequirements(
        rule, FINDINGS, critical, TARGETS, {"part": "validation"}, task="multilabel", **options
    )


@pytest.fixture(scope="module")
def fit() -> Fit:
    return fit_decision(requirements(), LOGITS)


def shares_at(temperature: float) -> np.ndarray:
    return 1 / (1 + np.exp(-LOGITS.astype(np.float64) / temperature))


def test_temperature_has_the_least_binary_log_loss() -> None:
    def loss(temperature: float) -> float:
        signed = np.where(TRUE, 1, -1) * LOGITS.astype(np.float64) / temperature
        return float(np.logaddexp(0, -signed).mean())

    best = min((0.01 * step for step in range(5, 2001)), key=loss)
    assert fit_temperature(LOGITS, TARGETS) == pytest.approx(best, abs=0.01)
    assert best > 1.5


def test_a_critical_finding_is_absent_only_below_its_threshold(fit: Fit) -> None:
    shares = shares_at(fit.decision.temperature)[:, VEIL]
    own = np.sort(shares[TRUE[:, VEIL]])[::-1]
    image = own[math.ceil(0.9 * own.size) - 1]
    below = max(value for value in shares.tolist() if value < image)
    assert image < 0.5
    assert fit.decision.absent_below == {"veil": pytest.approx((image + below) / 2, rel=1e-9)}
    assert fit.decision.present_from is None
    assert (fit.decision.critical, fit.decision.threshold_sensitivity) == (("veil",), 0.9)
    point = fit.points["veil"]
    assert (point.n, point.requested) == (own.size, 0.9)
    assert point.referred.value == ((shares >= image) & (shares < 0.5)).sum() / N


def test_noticed_is_the_share_that_is_demanded(fit: Fit) -> None:
    measures = Evidence().floors(requirements(), fit.decision, LOGITS, NOBODY)
    positives = int(TRUE[:, VEIL].sum())
    assert measures.noticed["veil"].value is not None
    assert measures.noticed["veil"].value >= math.ceil(0.9 * positives) / positives
    assert measures.chance == 0.5


def test_decisions_on_many_images_are_those_of_the_device(fit: Fit) -> None:
    answered, present = decide(fit.decision, LOGITS, FINDINGS)
    device = device_task("multilabel")
    judgements = [device.judge(row, fit.decision, FINDINGS) for row in LOGITS]
    assert answered.tolist() == [one.verdict == "answer" for one in judgements]
    called = [[one.findings[name] == "present" for name in FINDINGS] for one in judgements]
    assert present.tolist() == called
    assert 0 < answered.mean() < 1


def test_without_a_rule_there_is_no_threshold_and_no_band() -> None:
    plain = fit_decision(requirements(DecisionRule()), LOGITS)
    assert (plain.decision.absent_below, plain.decision.present_from) == (None, None)
    assert (plain.decision.threshold_sensitivity, plain.points) == (None, {})
    assert plain.decision.refer_coverage == 1.0
    nobody = fit_decision(requirements(critical=()), LOGITS)
    assert nobody.decision.absent_below is None


def test_the_band_answers_the_share_that_is_demanded() -> None:
    decision = fit_decision(requirements(DecisionRule(refer_coverage=0.8)), LOGITS).decision
    distance = np.abs(shares_at(decision.temperature) - 0.5)
    certainty = np.sort(distance.min(axis=1))[::-1]
    widest = certainty[math.ceil(0.8 * N) - 1]
    below = max(value for value in distance.ravel().tolist() if value < widest)
    assert decision.present_from is not None
    assert decision.absent_below is not None
    for name in FINDINGS:
        width = (widest + below) / 2
        assert decision.present_from[name] == pytest.approx(0.5 + width, rel=1e-9)
        assert decision.absent_below[name] == pytest.approx(0.5 - width, rel=1e-9)
    assert decision.refer_coverage == math.ceil(0.8 * N) / N


def test_the_band_for_a_sensitivity_is_the_narrowest_that_reaches_it() -> None:
    rule = DecisionRule(refer_sensitivity=0.93)
    decision = fit_decision(requirements(rule), LOGITS).decision
    shares = shares_at(decision.temperature)[TRUE[:, VEIL], VEIL]
    distance = np.abs(shares - 0.5)

    def holds(width: float) -> bool:
        outside = distance >= width
        return bool((shares[outside] >= 0.5).sum() >= 0.93 * outside.sum())

    assert decision.present_from is not None
    width = decision.present_from["veil"] - 0.5
    every = np.sort(np.abs(shares_at(decision.temperature)[:, VEIL] - 0.5))
    assert holds(width)
    assert not holds(every[every < width].max())
    assert not holds(0.0)


def test_a_sensitivity_that_no_band_reaches_is_an_error() -> None:
    torn = LOGITS.copy()
    torn[:, VEIL] *= -1
    with pytest.raises(GateFailedError, match=r"as sensitive as asked: .* veil to 0.99"):
        fit_decision(requirements(DecisionRule(refer_sensitivity=0.99)), torn)


def test_too_few_images_give_a_point_with_its_reason_and_no_threshold() -> None:
    targets = TARGETS.copy()
    targets[np.flatnonzero(TRUE[:, VEIL])[7:], VEIL] = 0
    few = DecisionRequirements(RULE, FINDINGS, ("veil",), targets, {}, task="multilabel")
    sparse = fit_decision(few, LOGITS)
    assert "7 images" in (sparse.points["veil"].reason or "")
    assert (sparse.decision.absent_below, sparse.decision.threshold_sensitivity) == (None, None)


def test_metrics_are_with_the_temperature_of_the_file(fit: Fit) -> None:
    metrics = Evidence().metrics_with(fit, requirements(), LOGITS, NOBODY)
    right = ((LOGITS >= 0) == TRUE).all(axis=1).mean()
    assert metrics["artefact"]["accuracy"]["value"] == pytest.approx(right)
    shares = shares_at(fit.decision.temperature)
    error = 0.0
    for low in np.arange(15) / 15:
        inside = (shares > low) & (shares <= low + 1 / 15 + 1e-12)
        error += abs(TRUE[inside].sum() - shares[inside].sum())
    assert metrics["artefact"]["ece"]["value"] == pytest.approx(error / TRUE.size, abs=1e-6)
    answered, _ = decide(fit.decision, LOGITS, FINDINGS)
    assert metrics["decision"]["answered"]["value"] == answered.mean()
    assert set(metrics["operating_points"]) == {"veil"}
