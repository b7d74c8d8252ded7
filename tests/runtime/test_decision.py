from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgekd.bundle import Decision
from edgekd.runtime.decision import calibrated, decide

LOGITS = np.array([1.0, 3.0, -2.0], np.float32)


def test_temperature_one_is_the_softmax() -> None:
    expected = np.exp(LOGITS.astype(np.float64)) / np.exp(LOGITS.astype(np.float64)).sum()
    np.testing.assert_allclose(calibrated(LOGITS, 1.0), expected, rtol=1e-12)


def test_temperature_divides_the_logits() -> None:
    np.testing.assert_allclose(calibrated(LOGITS, 2.5), calibrated(LOGITS / 2.5, 1.0), rtol=1e-6)
    assert calibrated(LOGITS, 5.0).max() < calibrated(LOGITS, 1.0).max()


def test_rows_are_independent() -> None:
    batch = np.stack([LOGITS, LOGITS[::-1]])
    np.testing.assert_array_equal(calibrated(batch, 1.5)[1], calibrated(LOGITS[::-1], 1.5))


@fuzz(100)
@given(
    logits=arrays.arrays(np.float32, 5, elements=st.floats(-(2.0**99), 2.0**99, width=32)),
    temperature=st.floats(1e-3, 1e3),
)
def test_any_finite_logits_give_probabilities(
    logits: npt.NDArray[np.float32], temperature: float
) -> None:
    probabilities = calibrated(logits, temperature)
    assert probabilities.dtype == np.float64
    assert (probabilities >= 0).all()
    assert probabilities.sum() == pytest.approx(1.0)
    assert probabilities[logits.argmax()] == probabilities.max()


def test_without_a_band_everything_is_answered() -> None:
    assert decide(np.array([0.34, 0.33, 0.33]), Decision()) == ("answer", ())


@pytest.mark.parametrize(("top", "verdict"), [(0.5999, "refer"), (0.6, "answer"), (0.9, "answer")])
def test_refer_below_the_threshold_only(top: float, verdict: str) -> None:
    found, reasons = decide(np.array([1 - top, top]), Decision(refer_below=0.6))
    assert found == verdict
    assert bool(reasons) == (verdict == "refer")


def test_reason_says_both_numbers() -> None:
    _, reasons = decide(np.array([0.45, 0.55]), Decision(refer_below=0.6))
    assert reasons == ("the top probability 0.55 is below 0.60",)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("refer_below", [None, 0.1])
def test_output_that_is_not_finite_is_referred(bad: float, refer_below: float | None) -> None:
    logits = np.array([0.1, bad, 0.3], np.float32)
    verdict, reasons = decide(calibrated(logits, 1.0), Decision(refer_below=refer_below))
    assert verdict == "refer"
    assert reasons == ("the network's output is not finite",)
