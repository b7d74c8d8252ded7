"""What a decision does with labelled images, counted by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgekd.tasks.classification.manifest import Decision
from edgekd.tasks.classification.outcome import are_answers, outcome_of


def test_outcome_counts_every_image_once_by_hand() -> None:
    """Five images of mel and three of nv, at T = 2; nv above 0.9 or mel above 0.9 is answered."""
    shares = [
        (0.05, 0.95),  # mel, answered right
        (0.92, 0.08),  # mel, missed
        (0.94, 0.06),  # mel, missed, but the photo is no use
        (0.80, 0.20),  # mel, referred: it reaches 0.1
        (0.30, 0.70),  # mel, referred: the top is below 0.9
        (0.99, 0.01),  # nv, answered right
        (0.02, 0.98),  # nv, answered wrong
        (0.85, 0.15),  # nv, referred and no use: to be taken again
    ]
    targets = np.array([1, 1, 1, 1, 1, 0, 0, 0])
    again = np.array([0, 0, 1, 0, 0, 0, 0, 1], np.bool_)
    logits = (2 * np.log(np.array(shares))).astype(np.float32)
    decision = Decision(temperature=2.0, refer_below=0.9, thresholds={"mel": 0.1})
    outcome = outcome_of(decision, logits, targets, ("nv", "mel"), again)

    def values(shares_by_name: dict[str, Any]) -> dict[str, float]:
        names = ("answered_right", "missed", "referred", "retaken")
        return {name: shares_by_name[name]["value"] for name in names}

    assert outcome["answered"]["value"] == 4 / 8
    assert outcome["retaken"]["value"] == 2 / 8
    assert outcome["right"]["value"] == 2 / 4
    assert list(outcome["per_class"]) == ["nv", "mel"]
    assert outcome["per_class"]["mel"]["images"] == 5
    assert values(outcome["per_class"]["mel"]) == {
        "answered_right": 1 / 5, "missed": 1 / 5, "referred": 2 / 5, "retaken": 1 / 5,
    }  # fmt: skip
    assert values(outcome["per_class"]["nv"]) == {
        "answered_right": 1 / 3, "missed": 1 / 3, "referred": 0.0, "retaken": 1 / 3,
    }  # fmt: skip
    for share in (outcome["answered"], outcome["right"], outcome["per_class"]["mel"]["missed"]):
        assert share["low"] < share["value"] < share["high"]


def test_outcome_without_answers_has_no_share_of_right_ones() -> None:
    logits, targets = np.eye(2, dtype=np.float32), np.array([0, 1])
    nobody = np.zeros(2, np.bool_)
    outcome = outcome_of(Decision(refer_below=1.0), logits, targets, ("nv", "mel"), nobody)
    assert (outcome["answered"]["value"], outcome["right"]["value"]) == (0.0, None)


def test_an_output_that_is_not_finite_is_no_answer() -> None:
    logits = np.array([[4.0, 0.0], [np.nan, 0.0]], np.float32)
    assert are_answers(Decision(), logits, ("nv", "mel")).tolist() == [True, False]
