"""Answers of bundles and checkpoints in one form."""

from __future__ import annotations

import numpy as np
from scripted import CLASSES, answered, answers_of, data_of

from edgekd.evaluation.answers import has_classes, model_answers
from edgekd.tasks.classification.manifest import Decision

LABELS = ["mel", "nv", "bkl"]


def test_a_bundle_has_its_own_label_verdict_and_sets():
    data = data_of(LABELS)
    decision = Decision(temperature=2.0, conformal_quantile=0.2)
    answers = answers_of(
        data, ["mel", "nv", "nv"], ["answer", "refer", "retake"], decision=decision
    )
    assert answers.decides
    assert answers.answered.tolist() == [True, False, False]
    assert answers.right.tolist() == [True, True, False]
    assert answers.reasons == ((), ("unsure",), ("blurred",))
    assert [each[0] for each in answers.sets] == ["mel", "nv", "nv"]
    assert answers.exclusive
    np.testing.assert_allclose(answers.probabilities.sum(axis=1), 1, atol=1e-5)
    assert (answers.uncalibrated.max(axis=1) > answers.probabilities.max(axis=1)).all()
    np.testing.assert_array_equal(answers.confidence, answers.probabilities.max(axis=1))


def test_a_checkpoint_answers_by_its_most_probable_class():
    answers = answers_of(data_of(LABELS), ["mel", "nv", "nv"])
    assert not answers.decides
    assert answers.named.argmax(axis=1).tolist() == [0, 1, 1]
    assert answers.verdicts.tolist() == ["answer"] * 3
    assert answers.sets == (None,) * 3


def test_findings_are_as_certain_as_the_least_certain_one():
    data = data_of(["mel;nv", "none", "bkl"], task="multilabel")
    answers = answers_of(data, ["mel", "nv", "bkl"], ["answer"] * 3)
    assert not answers.exclusive
    assert answers.right.tolist() == [False, False, True]
    certain = np.where(answers.named, answers.probabilities, 1 - answers.probabilities)
    np.testing.assert_allclose(answers.confidence, certain.min(axis=1))


def test_a_task_with_classes():
    data = data_of(LABELS)
    assert has_classes(answered(data, LABELS), data)
    model = answered(data, LABELS)
    assert model_answers(model, model.row, data).shown.tolist() == np.eye(3, dtype=bool).tolist()
    assert data.bench.classes == CLASSES
