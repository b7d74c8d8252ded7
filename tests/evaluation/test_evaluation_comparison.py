"""Paired differences between models."""

from __future__ import annotations

import numpy as np
import pytest
from scripted import answered, data_of

from edgekd.evaluation.answers import model_answers
from edgekd.evaluation.comparison import paired_differences

LABELS = ["mel"] * 40 + ["nv"] * 40


def differences(*answers, verdicts=None, groups=None):
    data = data_of(LABELS, groups=groups)
    given = verdicts or [["answer"] * 80] * len(answers)
    models = [
        answered(data, each, decided, name=str(n))
        for n, (each, decided) in enumerate(zip(answers, given, strict=True))
    ]
    scripted = [model_answers(model, model.row, data) for model in models]
    return paired_differences(scripted, [model.calibrated for model in models], data.bench)


WORSE = ["nv"] * 10 + LABELS[10:]


def test_every_pair_once_later_minus_earlier():
    pairs = differences(LABELS, WORSE, LABELS)
    assert [(pair.first, pair.second) for pair in pairs] == [("0", "1"), ("0", "2"), ("1", "2")]
    first, same, back = pairs
    assert first.sensitivity["mel"].value == -0.25
    assert first.answered_wrong["mel"].value == 0.25
    assert back.sensitivity["mel"].value == 0.25
    assert first.sensitivity["mel"].low < -0.25 < first.sensitivity["mel"].high < 0
    assert same.sensitivity["mel"].value == 0.0
    assert same.sensitivity["mel"].low < 0.0 < same.sensitivity["mel"].high
    assert first.deltas["balanced_accuracy"].value == pytest.approx(-0.125)
    assert (first.flips, first.agreement) == (10, 70 / 80)
    assert set(first.sensitivity) == {"mel", "nv"}


def test_a_referred_image_is_not_missed():
    (pair,) = differences(
        WORSE, WORSE, verdicts=[["answer"] * 80, ["refer"] * 10 + ["answer"] * 70]
    )
    assert pair.sensitivity["mel"].value == 0.0
    assert pair.answered_wrong["mel"].value == -0.25


def test_lesions_are_the_units():
    alone = differences(LABELS, WORSE)[0].sensitivity["mel"]
    groups = [f"P{n // 5}" for n in range(80)]
    together = differences(LABELS, WORSE, groups=groups)[0].sensitivity["mel"]
    assert together.value == alone.value
    assert np.diff([together.low, together.high]) > np.diff([alone.low, alone.high])
