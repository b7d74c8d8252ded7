from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgekd.tasks.classification.decision import (
    class_probabilities,
    energy_of,
    judge,
    plausible,
    prediction_set,
    reasons_of,
)
from edgekd.tasks.classification.manifest import Decision

CLASSES = ("bkl", "mel", "nv")
LOGITS = np.array([1.0, 3.0, -2.0], np.float32)


Probabilities = npt.NDArray[np.float64]


def decide(
    probabilities: Probabilities, decision: Decision, classes: tuple[str, ...], energy: float = 0.0
) -> tuple[str, tuple[str, ...]]:
    reasons = reasons_of(probabilities, energy, decision, classes)
    return "refer" if reasons else "answer", tuple(map(str, reasons))


def test_temperature_one_is_the_softmax() -> None:
    expected = np.exp(LOGITS.astype(np.float64)) / np.exp(LOGITS.astype(np.float64)).sum()
    np.testing.assert_allclose(class_probabilities(LOGITS, 1.0), expected, rtol=1e-12)


def test_temperature_divides_the_logits() -> None:
    np.testing.assert_allclose(
        class_probabilities(LOGITS, 2.5), class_probabilities(LOGITS / 2.5, 1.0), rtol=1e-6
    )
    assert class_probabilities(LOGITS, 5.0).max() < class_probabilities(LOGITS, 1.0).max()


def test_rows_are_independent() -> None:
    batch = np.stack([LOGITS, LOGITS[::-1]])
    np.testing.assert_array_equal(
        class_probabilities(batch, 1.5)[1], class_probabilities(LOGITS[::-1], 1.5)
    )


@fuzz(100)
@given(
    logits=arrays.arrays(np.float32, 5, elements=st.floats(-(2.0**99), 2.0**99, width=32)),
    temperature=st.floats(1e-3, 1e3),
)
def test_any_finite_logits_give_probabilities(
    logits: npt.NDArray[np.float32], temperature: float
) -> None:
    probabilities = class_probabilities(logits, temperature)
    assert probabilities.dtype == np.float64
    assert (probabilities >= 0).all()
    assert probabilities.sum() == pytest.approx(1.0)
    assert probabilities[logits.argmax()] == probabilities.max()


def test_without_a_band_everything_is_answered() -> None:
    assert decide(np.array([0.34, 0.33, 0.33]), Decision(), CLASSES) == ("answer", ())


@pytest.mark.parametrize(("top", "verdict"), [(0.5999, "refer"), (0.6, "answer"), (0.9, "answer")])
def test_refer_below_the_threshold_only(top: float, verdict: str) -> None:
    found, reasons = decide(np.array([1 - top, top]), Decision(refer_below=0.6), CLASSES[:2])
    assert found == verdict
    assert bool(reasons) == (verdict == "refer")


def test_reason_says_both_numbers() -> None:
    _, reasons = decide(np.array([0.45, 0.55]), Decision(refer_below=0.6), CLASSES[:2])
    assert reasons == ("the top probability 0.55 is below 0.60",)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("refer_below", [None, 0.1])
def test_output_that_is_not_finite_is_referred(bad: float, refer_below: float | None) -> None:
    logits = np.array([0.1, bad, 0.3], np.float32)
    decision = Decision(refer_below=refer_below, thresholds={"mel": 0.0})
    verdict, reasons = decide(class_probabilities(logits, 1.0), decision, CLASSES)
    assert verdict == "refer"
    assert reasons == ("the network's output is not finite",)


@pytest.mark.parametrize(
    ("share", "verdict"), [(0.1499, "answer"), (0.15, "refer"), (0.3, "refer")]
)
def test_class_that_reaches_its_threshold_is_not_excluded(share: float, verdict: str) -> None:
    probabilities = np.array([0.1, share, 0.9 - share])
    assert decide(probabilities, Decision(thresholds={"mel": 0.15}), CLASSES)[0] == verdict


def test_reason_names_the_class_and_both_numbers() -> None:
    decision = Decision(thresholds={"mel": 0.15})
    assert decide(np.array([0.08, 0.22, 0.7]), decision, CLASSES) == (
        "refer",
        ("mel cannot be excluded: its probability 0.22 reaches 0.15",),
    )


def test_low_thresholds_are_not_told_as_nothing() -> None:
    _, reasons = decide(
        np.array([0.0, 0.0061, 0.9939]), Decision(thresholds={"mel": 0.0042}), CLASSES
    )
    assert reasons == ("mel cannot be excluded: its probability 0.0061 reaches 0.0042",)


def test_top_class_is_answered_whatever_its_threshold() -> None:
    decision = Decision(thresholds={"nv": 0.2, "mel": 0.9})
    assert decide(np.array([0.1, 0.2, 0.7]), decision, CLASSES) == ("answer", ())
    assert decide(np.array([0.1, 0.7, 0.2]), Decision(thresholds={"mel": 0.9}), CLASSES)[1] == ()


def test_all_reasons_are_told_band_first_then_in_the_order_of_the_classes() -> None:
    probabilities = np.array([0.3, 0.3, 0.4])
    for thresholds in ({"bkl": 0.2, "mel": 0.1}, {"mel": 0.1, "bkl": 0.2}):
        decision = Decision(refer_below=0.5, thresholds=thresholds)
        verdict, reasons = decide(probabilities, decision, CLASSES)
        assert verdict == "refer"
        assert [reason.split()[0] for reason in reasons] == ["the", "bkl", "mel"]


@fuzz(100)
@given(
    logits=arrays.arrays(np.float32, 3, elements=st.floats(-20, 20, width=32)),
    mel=st.none() | st.floats(0, 1),
    refer_below=st.none() | st.floats(0, 1),
)
def test_answer_is_never_given_against_a_rule(
    logits: npt.NDArray[np.float32], mel: float | None, refer_below: float | None
) -> None:
    probabilities = class_probabilities(logits, 1.0)
    decision = Decision(thresholds=None if mel is None else {"mel": mel}, refer_below=refer_below)
    verdict, reasons = decide(probabilities, decision, CLASSES)
    unsure = refer_below is not None and probabilities.max() < refer_below
    possible = mel is not None and probabilities.argmax() != 1 and probabilities[1] >= mel
    assert (verdict == "answer") == (not unsure and not possible)
    assert len(reasons) == int(unsure) + int(possible)


@pytest.mark.parametrize(("energy", "verdict"), [(-2.0, "answer"), (-1.9999, "refer")])
def test_energy_above_its_threshold_is_referred(energy: float, verdict: str) -> None:
    decision = Decision(energy_threshold=-2.0)
    found, reasons = decide(np.array([0.1, 0.9]), decision, CLASSES[:2], energy)
    assert found == verdict
    assert reasons == (() if verdict == "answer" else reasons)
    assert all("unlike what was learnt" in reason for reason in reasons)


def test_judgement_is_made_of_raw_logits() -> None:
    decision = Decision(
        temperature=2.0, energy_threshold=float(energy_of(LOGITS)), conformal_quantile=0.6
    )
    judged = judge(LOGITS, decision, CLASSES)
    assert judged.probabilities == dict(
        zip(CLASSES, class_probabilities(LOGITS, 2.0).tolist(), strict=True)
    )
    assert (judged.label, judged.probability) == ("mel", judged.probabilities["mel"])
    assert (judged.verdict, judged.reasons, judged.conformal_set) == ("answer", (), ("mel",))
    lower = Decision(energy_threshold=float(energy_of(LOGITS)) - 1e-9)
    assert [reason.code for reason in judge(LOGITS, lower, CLASSES).reasons] == ["unfamiliar"]
    assert judge(LOGITS, lower, CLASSES).conformal_set is None


def test_conformal_set_is_in_the_order_of_the_classes() -> None:
    even = judge(np.zeros(3, np.float32), Decision(conformal_quantile=0.7), CLASSES)
    assert even.conformal_set == CLASSES


def test_conformal_set_itself_can_be_empty_what_is_shown_has_the_label() -> None:
    assert not prediction_set([0.4, 0.3, 0.3], 0.5).any()
    shown = plausible(np.array([0.3, 0.4, 0.3]), Decision(conformal_quantile=0.5), CLASSES)
    assert shown == ("mel",)


def test_class_that_is_referred_for_is_not_called_excluded() -> None:
    """The very line of a clinic: mel cannot be excluded, and not excluded was nv alone."""
    logits = np.log(np.array([0.09, 0.11, 0.80])).astype(np.float32)
    judged = judge(logits, Decision(thresholds={"mel": 0.1}, conformal_quantile=0.5), CLASSES)
    assert [str(reason) for reason in judged.reasons] == [
        "mel cannot be excluded: its probability 0.11 reaches 0.10"
    ]
    assert judged.conformal_set == ("mel", "nv")


@fuzz(200)
@given(
    logits=arrays.arrays(np.float32, 3, elements=st.floats(-20, 20, width=32)),
    thresholds=st.none() | st.dictionaries(st.sampled_from(CLASSES), st.floats(0, 1)),
    quantile=st.floats(0, 1),
    temperature=st.floats(0.05, 20),
)
def test_set_shown_holds_the_label_the_reasons_and_the_conformal_set(
    logits: npt.NDArray[np.float32],
    thresholds: dict[str, float] | None,
    quantile: float,
    temperature: float,
) -> None:
    decision = Decision(temperature=temperature, thresholds=thresholds, conformal_quantile=quantile)
    judged = judge(logits, decision, CLASSES)
    assert judged.conformal_set is not None
    named = {
        reason.text.split(" cannot be excluded")[0]
        for reason in judged.reasons
        if reason.code == "not-excluded"
    }
    inside = prediction_set([*judged.probabilities.values()], quantile)
    covered = {name for name, kept in zip(CLASSES, inside, strict=True) if kept}
    assert named | covered | {CLASSES[int(logits.argmax())]} <= set(judged.conformal_set)
    assert list(judged.conformal_set) == [one for one in CLASSES if one in judged.conformal_set]


def test_nothing_is_excluded_by_an_output_that_is_not_finite() -> None:
    assert prediction_set([np.nan, np.nan], 0.1).all()
    judged = judge(np.full(3, np.nan, np.float32), Decision(conformal_quantile=0.1), CLASSES)
    assert judged.conformal_set == CLASSES
