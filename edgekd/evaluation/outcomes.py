"""What each model does with the images of each class: answered right or wrong, referred, retake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edgekd.evaluation.answers import ModelAnswers
from edgekd.evaluation.document import ClassOutcome, ClassValues, Confusion, Share
from edgekd.metrics import Interval, share_interval
from edgekd.metrics.predictive import predictive_values
from edgekd.metrics.resampling import Groups
from edgekd.metrics.summary import Estimate

__all__ = [
    "LEAST_ANSWERED",
    "answered_classes",
    "class_outcomes",
    "class_values",
    "confusion_of",
    "estimate_of",
    "outcome_of_all",
    "share_of",
]

LEAST_ANSWERED = 0.05
"""A model practically does not answer a class of which it answers fewer images right."""

_Flags = NDArray[np.bool_]


def share_of(flags: _Flags, groups: Groups = None) -> Share:
    """How many images are flagged [n], with an interval over lesions or patients if known."""
    interval = share_interval(flags, groups)
    return Share(count=int(flags.sum()), n=flags.size, **interval._asdict())


def estimate_of(interval: Interval) -> Estimate:
    """An interval as a section of documents."""
    return Estimate(**interval._asdict())


def outcome_of_all(answers: ModelAnswers) -> ClassOutcome:
    """What a model does with all images; an answer is right where it is the whole label."""
    return _outcome(answers, answers.right, np.ones(len(answers.right), np.bool_))


def class_outcomes(answers: ModelAnswers, classes: Sequence[str]) -> dict[str, ClassOutcome]:
    """What a model does with the images of each class that occurs."""
    return {
        name: _outcome(answers, answers.named[:, index], answers.shown[:, index])
        for index, name in enumerate(classes)
        if answers.shown[:, index].any()
    }


def _outcome(answers: ModelAnswers, right: _Flags, among: _Flags) -> ClassOutcome:
    groups = _groups_of(answers, among)

    def share(flags: _Flags) -> Share:
        return share_of(flags[among], groups)

    return ClassOutcome(
        images=int(among.sum()),
        groups=None if groups is None else len(set(groups.tolist())),
        answered_right=share(answers.answered & right),
        answered_wrong=share(answers.answered & ~right),
        referred=share(answers.verdicts == "refer"),
        retaken=share(answers.verdicts == "retake"),
    )


def _groups_of(answers: ModelAnswers, among: _Flags) -> NDArray[np.str_] | None:
    return None if answers.groups is None else np.asarray(answers.groups)[among]


def answered_classes(outcomes: Mapping[str, ClassOutcome]) -> list[str]:
    """The classes that a model practically answers; see `LEAST_ANSWERED`."""
    return [
        name
        for name, outcome in outcomes.items()
        if (outcome.answered_right.value or 0.0) >= LEAST_ANSWERED
    ]


def confusion_of(answers: ModelAnswers, classes: Sequence[str]) -> Confusion | None:
    """Images by true class and outcome; None where images may show several classes, or none."""
    if not answers.exclusive:
        return None
    size = len(classes)
    true, answer = answers.shown.argmax(axis=1), answers.named.argmax(axis=1)
    outcome = np.where(answers.answered, answer, size + (answers.verdicts == "retake"))
    counts, plain = np.zeros((size, size + 2), np.int64), np.zeros((size, size), np.int64)
    np.add.at(counts, (true, outcome), 1)
    np.add.at(plain, (true, answer), 1)
    return Confusion(
        columns=[*classes, "referred", "retake"],
        counts=dict(zip(classes, counts.tolist(), strict=True)),
        answers=dict(zip(classes, plain.tolist(), strict=True)),
    )


def class_values(
    answers: ModelAnswers, classes: Sequence[str], prevalence: Mapping[str, float]
) -> dict[str, ClassValues]:
    """Predictive values of each class whose prevalence is given."""
    values = {}
    for name, share in prevalence.items():
        named, shown = (flags[:, classes.index(name)] for flags in (answers.named, answers.shown))
        positive, negative = predictive_values(
            answers.answered & named, answers.answered & ~named, shown, share, answers.groups
        )
        values[name] = ClassValues(
            prevalence=share, positive=estimate_of(positive), negative=estimate_of(negative)
        )
    return values
