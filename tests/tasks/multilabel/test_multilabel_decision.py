from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgekd.tasks.multilabel.decision import (
    finding_probabilities,
    joint_energy,
    judge_findings,
    states_of,
)
from edgekd.tasks.multilabel.manifest import Decision

FINDINGS = ("network", "streaks", "veil")
ANY_FLOAT32 = st.floats(width=32, allow_nan=True, allow_infinity=True)


def logits_of(*probabilities: float) -> npt.NDArray[np.float32]:
    shares = np.array(probabilities)
    return np.log(shares / (1 - shares)).astype(np.float32)


def test_probabilities_are_the_sigmoid() -> None:
    logits = np.array([-3.0, 0.0, 2.0])
    np.testing.assert_allclose(
        finding_probabilities(logits, 2.0), 1 / (1 + np.exp(-logits / 2)), rtol=1e-15
    )


def test_joint_energy_is_that_of_the_paper() -> None:
    logits = np.array([[0.5, -1.0, 3.0], [-30.0, -30.0, -30.0]])
    np.testing.assert_allclose(joint_energy(logits), -np.log1p(np.exp(logits)).sum(1), rtol=1e-12)


@pytest.mark.parametrize("value", [3.4e38, -3.4e38, 1e30, -1e30])
def test_huge_logits_keep_their_sign(value: float) -> None:
    logits = np.array([value, 0.0, -value], np.float32)
    shares = finding_probabilities(logits, 1e-3)
    assert shares.tolist() == ([1.0, 0.5, 0.0] if value > 0 else [0.0, 0.5, 1.0])
    assert joint_energy(logits) == pytest.approx(-abs(value), rel=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_output_that_is_not_finite_is_referred_and_tells_nothing(value: float) -> None:
    logits = np.array([5.0, value, -5.0], np.float32)
    judgement = judge_findings(logits, Decision(energy_threshold=0.0), FINDINGS)
    assert judgement.verdict == "refer"
    assert [reason.code for reason in judgement.reasons] == ["not-finite"]
    assert set(judgement.findings.values()) == {"unsure"}
    assert np.isnan([*judgement.probabilities.values()]).all()
    assert judgement.label == "none"
    assert joint_energy(logits) == np.inf


def test_answer_names_the_findings_in_the_order_of_the_classes() -> None:
    judgement = judge_findings(logits_of(0.9, 0.1, 0.6), Decision(), FINDINGS)
    assert (judgement.verdict, judgement.label) == ("answer", "network;veil")
    assert judgement.findings == {"network": "present", "streaks": "absent", "veil": "present"}
    assert judgement.probability is None
    assert judgement.probabilities["network"] == pytest.approx(0.9, abs=1e-6)
    nothing = judge_findings(logits_of(0.1, 0.1, 0.1), Decision(), FINDINGS)
    assert (nothing.verdict, nothing.label) == ("answer", "none")


def test_temperature_moves_probabilities_and_no_energy() -> None:
    logits = logits_of(0.9, 0.2, 0.6)
    warm, cold = (judge_findings(logits, Decision(temperature=t), FINDINGS) for t in (4.0, 0.5))
    assert warm.probabilities["network"] < 0.9 < cold.probabilities["network"]
    limit = float(joint_energy(logits))
    for temperature in (0.5, 4.0):
        at = Decision(temperature=temperature, energy_threshold=limit)
        assert judge_findings(logits, at, FINDINGS).verdict == "answer"


def test_finding_between_its_thresholds_is_unsure_and_referred() -> None:
    decision = Decision(
        present_from={"streaks": 0.7, "veil": 0.6},
        absent_below={"streaks": 0.2, "veil": 0.1},
        critical=("streaks",),
    )
    judgement = judge_findings(logits_of(0.9, 0.3, 0.4), decision, FINDINGS)
    assert judgement.verdict == "refer"
    assert judgement.findings == {"network": "present", "streaks": "unsure", "veil": "unsure"}
    assert [(reason.code, reason.text) for reason in judgement.reasons] == [
        ("not-excluded", "streaks cannot be excluded: its probability 0.30 reaches 0.20"),
        ("unsure", "the probability 0.40 of veil lies between 0.10 and 0.60"),
    ]


def test_image_without_evidence_for_any_finding_has_a_high_energy() -> None:
    threshold = float(joint_energy(logits_of(0.2, 0.2, 0.2)))
    judgement = judge_findings(
        logits_of(0.01, 0.01, 0.01), Decision(energy_threshold=threshold), FINDINGS
    )
    assert [reason.code for reason in judgement.reasons] == ["unfamiliar"]
    clearer = judge_findings(
        logits_of(0.3, 0.2, 0.2), Decision(energy_threshold=threshold), FINDINGS
    )
    assert clearer.verdict == "answer"


@fuzz(300)
@given(
    logits=arrays.arrays(np.float32, 3, elements=ANY_FLOAT32),
    temperature=st.floats(1e-3, 9999.0),
    low=st.floats(0, 1),
    high=st.floats(0, 1),
    energy=st.none() | st.floats(-1e6, 1e6),
)
def test_states_follow_from_the_probabilities(
    logits: npt.NDArray[np.float32],
    temperature: float,
    low: float,
    high: float,
    energy: float | None,
) -> None:
    low, high = sorted((low, high))
    decision = Decision(
        temperature=temperature,
        present_from=dict.fromkeys(FINDINGS, high),
        absent_below=dict.fromkeys(FINDINGS, low),
        energy_threshold=energy,
    )
    judgement = judge_findings(logits, decision, FINDINGS)
    shares = np.array([*judgement.probabilities.values()])
    finite = bool(np.isfinite(logits).all())
    assert np.isfinite(shares).all() == finite
    assert not finite or ((shares >= 0) & (shares <= 1)).all()
    wanted = [
        "present" if share >= high else "absent" if share < low else "unsure" for share in shares
    ]
    assert [*judgement.findings.values()] == wanted
    certain = finite and "unsure" not in wanted
    familiar = energy is None or float(joint_energy(logits)) <= energy
    assert (judgement.verdict == "answer") == (certain and familiar)
    assert judgement.label.split(";") == (
        [name for name, state in judgement.findings.items() if state == "present"] or ["none"]
    )


@fuzz(200)
@given(logits=arrays.arrays(np.float32, (4, 3), elements=ANY_FLOAT32))
def test_rows_are_independent(logits: npt.NDArray[np.float32]) -> None:
    together, energies = finding_probabilities(logits, 1.5), joint_energy(logits)
    present, absent = states_of(together, Decision(), FINDINGS)
    assert not (present & absent).any()
    for row in range(4):
        np.testing.assert_array_equal(finding_probabilities(logits[row], 1.5), together[row])
        np.testing.assert_array_equal(joint_energy(logits[row]), energies[row])
