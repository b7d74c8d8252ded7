"""Decisions by class, confusion and predictive values against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scripted import CLASSES, answers_of, data_of

from edgekd.evaluation.outcomes import (
    answered_classes,
    class_outcomes,
    class_values,
    confusion_of,
    outcome_of_all,
    share_of,
)

LABELS = ["mel"] * 4 + ["nv"] * 3
ANSWERS = ["mel", "nv", "nv", "mel", "nv", "nv", "mel"]
VERDICTS = ["answer", "answer", "refer", "retake", "answer", "refer", "answer"]


def counts(outcome):
    fields = ("answered_right", "answered_wrong", "referred", "retaken")
    return [getattr(outcome, field).count for field in fields]


def test_the_decisions_of_a_bundle():
    answers = answers_of(data_of(LABELS), ANSWERS, VERDICTS)
    outcomes = class_outcomes(answers, CLASSES)
    assert list(outcomes) == ["mel", "nv"]
    assert counts(outcomes["mel"]) == [1, 1, 1, 1]
    assert counts(outcomes["nv"]) == [1, 1, 1, 0]
    assert counts(outcome_of_all(answers)) == [2, 2, 2, 1]
    assert (outcomes["mel"].images, outcomes["mel"].groups) == (4, None)
    assert outcomes["mel"].referred.value == 0.25
    assert outcomes["mel"].referred.low < 0.25 < outcomes["mel"].referred.high


def test_a_checkpoint_answers_always():
    answers = answers_of(data_of(LABELS), ANSWERS)
    assert not answers.decides
    assert counts(class_outcomes(answers, CLASSES)["mel"]) == [2, 2, 0, 0]


def test_the_confusion_matrix():
    confusion = confusion_of(answers_of(data_of(LABELS), ANSWERS, VERDICTS), CLASSES)
    assert confusion.columns == ["mel", "nv", "bkl", "referred", "retake"]
    assert confusion.counts == {
        "mel": [1, 1, 0, 1, 1], "nv": [1, 1, 0, 1, 0], "bkl": [0, 0, 0, 0, 0],
    }  # fmt: skip
    assert confusion.answers["mel"] == [2, 2, 0]


def test_findings_have_no_confusion_matrix():
    data = data_of(["mel;nv", "none", "bkl"], task="multilabel")
    answers = answers_of(data, ["mel", "nv", "bkl"], ["answer"] * 3)
    assert confusion_of(answers, CLASSES) is None
    outcomes = class_outcomes(answers, CLASSES)
    assert counts(outcomes["mel"]) == [1, 0, 0, 0]
    assert counts(outcomes["nv"]) == [0, 1, 0, 0]
    assert counts(outcome_of_all(answers)) == [1, 2, 0, 0]


def test_lesions_make_intervals_wider():
    labels = ["mel"] * 40
    given = ["mel" if n // 4 % 2 else "nv" for n in range(40)]
    alone = answers_of(data_of(labels), given)
    together = answers_of(data_of(labels, groups=[f"P{n // 4}" for n in range(40)]), given)
    first, second = (class_outcomes(each, CLASSES)["mel"] for each in (alone, together))
    assert second.groups == 10
    assert second.answered_right.low < first.answered_right.low
    assert second.answered_right.value == first.answered_right.value == 0.5


def test_classes_that_are_practically_not_answered():
    labels = ["mel"] * 40 + ["nv"] * 40
    given = ["mel"] + ["nv"] * 79
    outcomes = class_outcomes(answers_of(data_of(labels), given), CLASSES)
    assert answered_classes(outcomes) == ["nv"]
    given = ["mel"] * 2 + ["nv"] * 78
    outcomes = class_outcomes(answers_of(data_of(labels), given), CLASSES)
    assert answered_classes(outcomes) == ["mel", "nv"]


def test_predictive_values_at_a_prevalence():
    answers = answers_of(data_of(LABELS), ANSWERS, VERDICTS)
    values = class_values(answers, CLASSES, {"mel": 0.1})["mel"]
    named, alarms, excluded, missed = 1 / 4, 1 / 3, 1 / 3, 1 / 4
    assert values.positive.value == pytest.approx(0.1 * named / (0.1 * named + 0.9 * alarms))
    assert values.negative.value == pytest.approx(0.9 * excluded / (0.9 * excluded + 0.1 * missed))
    assert values.prevalence == 0.1
    absent = class_values(answers, CLASSES, {"bkl": 0.1})["bkl"]
    assert (absent.positive.value, absent.negative.value) == (None, None)


def test_a_share():
    share = share_of(np.array([1, 0, 0, 0], bool))
    assert (share.count, share.n, share.value) == (1, 4, 0.25)
