"""The operating points that a model really uses."""

from __future__ import annotations

import numpy as np
import pytest
from scripted import answers_of, data_of

from edgekd.evaluation.operating import class_points, coverage_points
from edgekd.tasks.classification.manifest import Decision

LABELS = ["mel", "mel", "nv", "nv"]
ANSWERS = ["mel", "nv", "nv", "mel"]
VERDICTS = ["answer", "answer", "answer", "refer"]


def test_answers_and_thresholds_of_a_bundle():
    data = data_of(LABELS)
    decision = Decision(temperature=1.5, thresholds={"mel": 0.05})
    answers = answers_of(data, ANSWERS, VERDICTS, decision=decision)
    answer, threshold = class_points(answers, data, "mel")
    assert answer.flagged.tolist() == [True, False, False, False]  # a referred image is none
    assert (answer.text, answer.threshold) == ("answered", False)
    assert threshold.text == "cannot be excluded from 0.05"
    np.testing.assert_array_equal(threshold.flagged, answers.probabilities[:, 0] >= 0.05)
    shown = data.shown[:, 0]
    point = answer.of_roc(shown)
    assert (point.x, point.y, point.hollow) == (0.0, 0.5, False)
    point = answer.of_precision_recall(shown)
    assert (point.x, point.y) == (0.5, 1.0)
    assert len(class_points(answers, data, "nv")) == 1


def test_a_checkpoint_has_its_answers_alone():
    data = data_of(LABELS)
    (point,) = class_points(answers_of(data, ANSWERS), data, "mel")
    assert point.flagged.tolist() == [True, False, False, True]


def test_points_that_are_not_defined():
    data = data_of(["mel", "mel"])
    (point,) = class_points(answers_of(data, ["nv", "nv"]), data, "mel")
    assert point.of_roc(data.shown[:, 0]) is None
    assert point.of_precision_recall(data.shown[:, 0]) is None


def test_the_refer_band_and_the_whole_decision():
    data = data_of(LABELS)
    answers = answers_of(data, ANSWERS, VERDICTS, decision=Decision(refer_below=0.5))
    whole, band = coverage_points(answers, data)
    assert (whole.x, whole.y) == (0.75, pytest.approx(1 / 3))
    assert (band.x, band.y, band.hollow) == (1.0, 0.5, True)
    assert "refer band 0.50" in band.text
    assert len(coverage_points(answers_of(data, ANSWERS), data)) == 1


def test_a_model_that_answers_nothing_has_no_point():
    data = data_of(LABELS)
    answers = answers_of(data, ANSWERS, ["refer"] * 4, decision=Decision())
    assert coverage_points(answers, data) == []


def test_findings_are_present_and_not_excluded_from_their_thresholds():
    from edgekd.tasks.multilabel.manifest import Decision as Findings

    data = data_of(LABELS, task="multilabel")
    decision = Findings(present_from={"mel": 0.7}, absent_below={"mel": 0.2})
    answers = answers_of(data, ANSWERS, VERDICTS, decision=decision)
    texts = [point.text for point in class_points(answers, data, "mel")]
    assert texts == ["answered", "present from 0.7", "cannot be excluded from 0.2"]
    assert len(class_points(answers, data, "nv")) == 2
