"""A report states no more than the runtime shows."""

from __future__ import annotations

from archives import WARNING, PredictionMaker

from edgekd.runtime import Prediction
from edgekd.runtime.export import DeviceIdentity
from edgekd.runtime.export.statement import statement_of, summary_of


def test_an_answer_is_stated(predicted: PredictionMaker, device: DeviceIdentity) -> None:
    statement = statement_of(predicted())
    assert (statement.answer, statement.probabilities) == ("mel", {"mel": 0.93, "nv": 0.07})
    assert summary_of(statement, device) == (
        f"Answer: mel, probability 0.93. Not excluded: mel, nv. Warning: {WARNING}. "
        "Decision support."
    )


def test_of_a_referral_only_what_is_not_excluded(
    referred: Prediction, device: DeviceIdentity
) -> None:
    statement = statement_of(referred)
    assert statement.answer is None
    assert statement.probabilities == {}
    assert statement.not_excluded == ("mel", "nv")
    assert "Refer the patient. mel reaches its threshold: 0.31 of 0.30." in summary_of(
        statement, device
    )


def test_of_a_bad_photo_nothing_but_why(retaken: Prediction, device: DeviceIdentity) -> None:
    statement = statement_of(retaken)
    assert (statement.answer, statement.probabilities, statement.not_excluded) == (None, {}, ())
    assert summary_of(statement, device).startswith("Take another photo. the photo is too dark.")


def test_findings_and_values(
    findings: Prediction, predicted: PredictionMaker, device: DeviceIdentity
) -> None:
    assert statement_of(findings).answer is None
    assert "Answer: network present, veil absent." in summary_of(statement_of(findings), device)
    values = predicted(values={"depth": 3.4, "width": float("nan")}, probabilities={})
    assert statement_of(values).values == {"depth": 3.4}  # neither JSON nor DICOM has a NaN
    assert "depth 3.4" in summary_of(statement_of(values), device)
