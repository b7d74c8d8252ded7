"""The decision of a file, against what counting and sorting give without edgekd's own metrics."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgekd.errors import GateFailedError
from edgekd.lower.evidence.decision import DecisionRequirements, Fit
from edgekd.policy import DecisionRule
from edgekd.tasks.classification.decision import judge
from edgekd.tasks.classification.evidence import Evidence
from edgekd.tasks.classification.fit import fit_decision
from edgekd.tasks.classification.outcome import outcome_of

CLASSES = ("bkl", "df", "mel", "nv")
BKL, DF, MEL, NV = range(4)
COUNTS = {BKL: 90, DF: 7, MEL: 60, NV: 143}
N = sum(COUNTS.values())
RULE = DecisionRule(refer_coverage=0.9, critical_sensitivity=0.9)
NOBODY = np.zeros(N, np.bool_)

Logits = NDArray[np.float32]
Shares = NDArray[np.float64]


def make_images(seed: int = 0, sharpness: float = 4.0) -> tuple[Logits, NDArray[np.int64]]:
    """Logits of an overconfident model, and their targets: no two values are the same."""
    random = np.random.default_rng(seed)
    targets = np.repeat(list(COUNTS), list(COUNTS.values()))
    logits = random.normal(size=(N, len(CLASSES)))
    logits[np.arange(N), targets] += 1.6
    return (sharpness * logits).astype(np.float32), targets


LOGITS, TARGETS = make_images()


def asked(
    rule: DecisionRule = RULE, critical: tuple[str, ...] = ("mel",), *, ordered: bool = False
) -> DecisionRequirements:
    return DecisionRequirements(rule, CLASSES, critical, TARGETS, {"part": "validation"}, ordered)


def softmax(logits: NDArray[Any], temperature: float) -> Shares:
    scaled = np.asarray(logits, np.float64) / temperature
    shares = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def loss(temperature: float) -> float:
    return float(-np.log(softmax(LOGITS, temperature)[np.arange(N), TARGETS]).mean())


def between_down(values: Shares, rank: int) -> float:
    """Half-way from the `rank`-th largest value to the next smaller one."""
    ordered = sorted(values.tolist(), reverse=True)
    return (ordered[rank - 1] + ordered[rank]) / 2


@pytest.fixture(scope="module")
def fit() -> Fit:
    return fit_decision(asked(), LOGITS)


@pytest.fixture(scope="module")
def shares(fit: Fit) -> Shares:
    return softmax(LOGITS, fit.decision.temperature)


# ---- what is fitted ----


def test_temperature_is_the_one_of_the_least_likelihood_loss(fit: Fit) -> None:
    best = min((0.01 * step for step in range(5, 2001)), key=loss)
    assert fit.decision.temperature == pytest.approx(best, abs=0.01)
    assert best > 2  # this model is overconfident: with T = 1 everything below would be another


def test_band_answers_the_share_that_is_asked_for_and_lies_between_two_images(
    fit: Fit, shares: Shares
) -> None:
    tops, wanted = shares.max(axis=1), math.ceil(0.9 * N)
    assert fit.decision.refer_below == pytest.approx(between_down(tops, wanted), rel=1e-9)
    assert int((tops >= fit.decision.refer_below).sum()) == wanted
    assert fit.decision.refer_coverage == wanted / N


def test_threshold_notices_the_share_that_is_asked_for_and_lies_between_two_images(
    fit: Fit, shares: Shares
) -> None:
    assert fit.decision.thresholds is not None
    assert set(fit.decision.thresholds) == {"mel"}
    threshold, of_mel = fit.decision.thresholds["mel"], shares[:, MEL]
    own = sorted(of_mel[TARGETS == MEL].tolist(), reverse=True)
    image = own[math.ceil(0.9 * COUNTS[MEL]) - 1]
    below = max(value for value in of_mel.tolist() if value < image)  # of whatever class
    assert threshold == pytest.approx((image + below) / 2, rel=1e-9)
    assert below < threshold < image
    assert int((of_mel[TARGETS == MEL] >= threshold).sum()) == math.ceil(0.9 * COUNTS[MEL])
    assert fit.decision.threshold_sensitivity == 0.9


def test_operating_point_counts_what_its_threshold_costs(fit: Fit, shares: Shares) -> None:
    (point,) = fit.points.values()
    assert fit.decision.thresholds is not None
    reached = shares[:, MEL] >= fit.decision.thresholds["mel"]
    mel, top = TARGETS == MEL, LOGITS.argmax(axis=1)
    assert (point.n, point.requested, point.reason) == (COUNTS[MEL], 0.9, None)
    assert point.sensitivity.value == reached[mel].sum() / mel.sum()
    assert point.specificity.value == (~reached[~mel]).sum() / (~mel).sum()
    assert point.referred.value == (reached & (top != MEL)).sum() / N
    assert 0 < point.referred.value < 1


def test_conformal_quantile_is_the_ranked_score_of_the_true_classes(
    fit: Fit, shares: Shares
) -> None:
    scores = sorted(1 - shares[np.arange(N), TARGETS])
    quantile = scores[math.ceil((N + 1) * 0.9) - 1]
    assert fit.decision.conformal_quantile == pytest.approx(quantile, rel=1e-9)
    assert fit.decision.conformal_coverage == 0.9
    uncalibrated = sorted(1 - softmax(LOGITS, 1.0)[np.arange(N), TARGETS])
    assert abs(uncalibrated[math.ceil((N + 1) * 0.9) - 1] - quantile) > 0.02


def test_energy_is_of_the_raw_logits_and_keeps_the_share_that_is_asked_for(fit: Fit) -> None:
    energies = -np.log(np.exp(LOGITS.astype(np.float64)).sum(axis=1))
    kept = math.ceil(0.98 * N)
    ordered = np.sort(energies)
    assert fit.decision.energy_threshold == pytest.approx(
        (ordered[kept - 1] + ordered[kept]) / 2, rel=1e-9
    )
    assert ordered[kept - 1] < fit.decision.energy_threshold < ordered[kept]
    assert fit.decision.energy_kept == 0.98


def test_what_it_was_fitted_on_is_said(fit: Fit) -> None:
    assert fit.decision.fitted_on == {"part": "validation"}


def test_what_is_not_asked_for_is_not_fitted() -> None:
    plain = fit_decision(asked(DecisionRule()), LOGITS)
    assert (plain.decision.refer_below, plain.decision.refer_coverage) == (None, None)
    assert (plain.decision.thresholds, plain.decision.threshold_sensitivity) == (None, None)
    assert plain.points == {}
    nobody = fit_decision(asked(critical=()), LOGITS)
    assert (nobody.decision.thresholds, nobody.points) == (None, {})


def test_too_few_images_give_a_point_with_its_reason_and_no_threshold() -> None:
    both = fit_decision(asked(critical=("df", "mel")), LOGITS)
    assert set(both.points) == {"df", "mel"}
    assert set(both.decision.thresholds or {}) == {"mel"}
    assert both.points["df"].threshold is None
    assert "7 images" in (both.points["df"].reason or "")
    alone = fit_decision(asked(critical=("df",)), LOGITS)
    assert (alone.decision.thresholds, alone.decision.threshold_sensitivity) == (None, None)


@pytest.mark.parametrize("critical", [("bkl", "mel"), ("mel", "bkl")])  # one of them binds
def test_band_for_a_sensitivity_is_the_lowest_at_which_every_critical_class_has_it(
    critical: tuple[str, ...],
) -> None:
    rule = DecisionRule(refer_sensitivity=0.9, refer_coverage=0.5)  # the first goes before
    decision = fit_decision(asked(rule, critical), LOGITS).decision
    shares = softmax(LOGITS, decision.temperature)
    tops, right = shares.max(axis=1), LOGITS.argmax(axis=1) == TARGETS

    def holds(threshold: float) -> bool:
        for index in (BKL, MEL):
            own = (index == TARGETS) & (tops >= threshold)
            if own.sum() < 20 or right[own].sum() < 0.9 * own.sum():
                return False
        return True

    first = min(threshold for threshold in tops.tolist() if holds(threshold))
    below = max(value for value in tops.tolist() if value < first)
    assert not holds(below)
    assert decision.refer_below == pytest.approx((first + below) / 2, rel=1e-9)
    assert decision.refer_coverage == (tops >= first).sum() / N


def test_sensitivity_that_no_band_reaches_is_an_error() -> None:
    torn = LOGITS.copy()
    torn[TARGETS == MEL] = torn[TARGETS == MEL][:, [BKL, DF, NV, MEL]]  # each mel looks like nv
    with pytest.raises(GateFailedError, match=r"as sensitive as asked: .* mel to 0.99"):
        fit_decision(asked(DecisionRule(refer_sensitivity=0.99)), torn)


@fuzz(30)
@given(seed=st.integers(0, 2**16), coverage=st.integers(50, 99), share=st.integers(50, 99))
def test_no_decision_hangs_on_the_last_digits_of_another_engine(
    seed: int, coverage: int, share: int
) -> None:
    logits, _ = make_images(seed)
    rule = DecisionRule(refer_coverage=coverage / 100, critical_sensitivity=share / 100)
    decision = fit_decision(asked(rule), logits).decision
    noise = np.random.default_rng(seed + 1).uniform(-1e-6, 1e-6, logits.shape).astype(np.float32)

    def verdicts(found: Logits) -> list[list[str]]:
        return [[one.code for one in judge(row, decision, CLASSES).reasons] for row in found]

    shares = softmax(logits, decision.temperature)
    gaps = [
        np.abs(shares.max(axis=1) - (decision.refer_below or 0)).min(),
        np.abs(shares[:, MEL] - (decision.thresholds or {})["mel"]).min(),
        np.abs(np.diff(np.sort(shares, axis=1)[:, -2:])).min(),
    ]
    if min(gaps) > 1e-5:  # else two images are alike to the last digit, and no middle is far off
        assert verdicts(logits) == verdicts(logits + noise)


# ---- what is told of it ----


def test_metrics_of_the_file_are_with_its_temperature(fit: Fit, shares: Shares) -> None:
    told = Evidence().metrics_with(fit, asked(), LOGITS, NOBODY)
    tops, right = shares.max(axis=1), LOGITS.argmax(axis=1) == TARGETS
    error = 0.0
    for low in np.arange(15) / 15:
        inside = (tops > low) & (tops <= low + 1 / 15 + 1e-12)
        error += abs(right[inside].sum() - tops[inside].sum())
    assert told["artefact"]["ece"]["value"] == pytest.approx(error / N, abs=1e-6)
    assert told["artefact"]["accuracy"]["value"] == right.mean()
    areas = []
    for index in range(len(CLASSES)):
        own, others = shares[index == TARGETS, index], shares[index != TARGETS, index]
        areas.append((own[:, None] > others[None]).mean())
    assert told["artefact"]["macro_auroc"]["value"] == pytest.approx(np.mean(areas), abs=1e-6)
    assert told["artefact"]["quadratic_kappa"] is None


def test_metrics_tell_the_points_the_outcome_and_grades(fit: Fit) -> None:
    again = np.arange(N) % 10 == 0
    told = Evidence().metrics_with(fit, asked(ordered=True), LOGITS, again)
    assert told["operating_points"] == {"mel": msgspec.to_builtins(fit.points["mel"])}
    assert told["decision"] == outcome_of(fit.decision, LOGITS, TARGETS, CLASSES, again)
    assert told["decision"]["retaken"]["value"] == again.mean()
    assert told["artefact"]["quadratic_kappa"]["value"] is not None
