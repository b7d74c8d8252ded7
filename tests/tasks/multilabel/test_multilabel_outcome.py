"""What a decision on findings does with labelled images, counted by hand."""

from __future__ import annotations

import numpy as np

from edgekd.tasks.multilabel.manifest import Decision
from edgekd.tasks.multilabel.outcome import decide, outcome_of


def test_outcome_counts_every_image_by_hand() -> None:
    """Veil is absent below 0.2 and present from 0.5; streaks have no threshold of their own."""
    shares = np.array(
        [
            (0.9, 0.9),  # both, answered right
            (0.9, 0.1),  # both, the veil is missed
            (0.9, 0.3),  # both, referred: the veil cannot be excluded
            (0.9, 0.1),  # both, the veil is missed, but the photo is no use
            (0.1, 0.1),  # none, answered right
            (0.9, 0.1),  # none, answered wrong
        ]
    )
    targets = np.array([[1, 1]] * 4 + [[0, 0]] * 2, np.float32)
    logits = (2 * np.log(shares / (1 - shares))).astype(np.float32)
    decision = Decision(temperature=2.0, absent_below={"veil": 0.2}, critical=("veil",))
    again = np.array([0, 0, 0, 1, 0, 0], np.bool_)
    outcome = outcome_of(decision, logits, targets, ("streaks", "veil"), again)
    assert outcome["answered"]["value"] == 4 / 6
    assert outcome["retaken"]["value"] == 1 / 6
    assert outcome["right"]["value"] == 2 / 4
    veil = outcome["per_class"]["veil"]
    assert veil.pop("images") == 4
    assert {name: share["value"] for name, share in veil.items()} == {
        "answered_right": 1 / 4, "missed": 1 / 4, "referred": 1 / 4, "retaken": 1 / 4,
    }  # fmt: skip


def test_an_output_that_is_not_finite_is_no_answer() -> None:
    logits = np.array([[4.0, -4.0], [np.nan, 4.0]], np.float32)
    answered, present = decide(Decision(), logits, ("streaks", "veil"))
    assert answered.tolist() == [True, False]
    assert present.tolist() == [[True, False], [False, False]]


def test_an_output_out_of_distribution_is_no_answer() -> None:
    logits = np.array([[4.0, -4.0], [-4.0, -4.0]], np.float32)
    answered, _ = decide(Decision(energy_threshold=-1.0), logits, ("streaks", "veil"))
    assert answered.tolist() == [True, False]
