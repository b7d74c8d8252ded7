"""Figures of two bundles on the same images, with their paired differences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from edgekd.bench.result import Estimate, ResultRow
from edgekd.errors import InputError
from edgekd.evaluation.answers import ModelAnswers
from edgekd.evaluation.validation import ExternalValidation
from edgekd.metrics.exact import TWO_SIDED
from edgekd.metrics.paired import class_drop
from edgekd.metrics.resampling import group_codes

__all__ = ["PairedFigure", "paired_figures"]

_WORSE_HIGHER = ("answered_wrong", "not_answered")


@dataclass(frozen=True)
class PairedFigure:
    """One figure of both bundles.

    Attributes:
        figure: Its key, as plans name it.
        of: The class; None for all images.
        old: Its value for the old bundle.
        new: Its value for the new one.
        difference: New minus old, with its paired 95 % interval.
        images: Number of images that it is of.
    """

    figure: str
    of: str | None
    old: float | None
    new: float | None
    difference: Estimate
    images: int

    @property
    def title(self) -> str:
        """`sensitivity of mel`."""
        words = self.figure.replace("_", " ")
        return f"{words} of {self.of}" if self.of else words

    @property
    def worst(self) -> float | None:
        """The largest worsening that the interval holds; None without an interval."""
        low, high = self.difference.low, self.difference.high
        if low is None or high is None:
            return None
        return high if self.figure in _WORSE_HIGHER else -low


def paired_figures(validation: ExternalValidation) -> list[PairedFigure]:
    """The figures of the two models of a validation, the old one first.

    Raises:
        InputError: The task has no classes to report on.
    """
    if validation.result.validation is None:
        message = f"models of the task {validation.data.bench.task} have no classes to compare"
        raise InputError(message, "leave --csv out")
    return [*_of_all(validation), *_of_classes(validation)]


def _of_all(validation: ExternalValidation) -> Iterator[PairedFigure]:
    section = validation.result.validation
    assert section is not None
    rows, images = validation.result.rows, validation.result.data.n
    for key, difference in section.differences[0].deltas.items():
        old, new = (_metric(row, key) for row in rows)
        yield PairedFigure(key, None, old, new, difference, images)
    old_flags, new_flags = (~answers.answered for answers in validation.answers)
    codes = group_codes(validation.data.bench.groups, images)
    drop = class_drop(old_flags, new_flags, codes, TWO_SIDED).drop
    value, low, high = (
        None if each is None else 0.0 - each for each in (drop.value, drop.high, drop.low)
    )
    gain = Estimate(value=value, low=low, high=high)
    before, after = (float(np.mean(each)) for each in (old_flags, new_flags))
    yield PairedFigure("not_answered", None, before, after, gain, images)


def _metric(row: ResultRow, key: str) -> float | None:
    metrics = row.metrics
    if metrics is None:
        return None
    estimate: Estimate | None = metrics.measures.get(key) or getattr(metrics, key, None)
    return None if estimate is None else estimate.value


def _of_classes(validation: ExternalValidation) -> Iterator[PairedFigure]:
    section, classes = validation.result.validation, validation.data.bench.classes
    assert section is not None
    (pair,) = section.differences
    wrong: Mapping[str, Estimate] = pair.answered_wrong
    for name, difference in pair.sensitivity.items():
        index = classes.index(name)
        old, new = (_sensitivity(each, index) for each in validation.answers)
        images = int(validation.answers[0].shown[:, index].sum())
        yield PairedFigure("sensitivity", name, old, new, difference, images)
        before, after = (model.outcomes[name].answered_wrong.value for model in section.models)
        yield PairedFigure("answered_wrong", name, before, after, wrong[name], images)


def _sensitivity(answers: ModelAnswers, index: int) -> float:
    return float(answers.named[answers.shown[:, index], index].mean())
