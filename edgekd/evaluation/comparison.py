"""Paired differences between models on the same images."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekd.bench.subjects.data import BenchData
from edgekd.evaluation.answers import ModelAnswers
from edgekd.evaluation.document import PairDifference
from edgekd.metrics import Estimate
from edgekd.metrics.exact import TWO_SIDED
from edgekd.metrics.paired import class_drop
from edgekd.metrics.resampling import group_codes
from edgekd.metrics.task import metrics_task

__all__ = ["paired_differences"]

_Flags = NDArray[np.bool_]


def paired_differences(
    models: Sequence[ModelAnswers], outputs: Sequence[NDArray[Any]], data: BenchData
) -> list[PairDifference]:
    """The differences of every pair of models, the later one minus the earlier one.

    Intervals are those of `edgekd.metrics.paired`, 95 % each, over lesions or patients where they
    are known; each holds by itself, not together with the others.

    Args:
        models: The answers of each model.
        outputs: Its calibrated outputs [N, …].
        data: The images.
    """
    pairs = combinations(range(len(models)), 2)
    return [_difference((models[a], models[b]), (outputs[a], outputs[b]), data) for a, b in pairs]


def _difference(
    models: tuple[ModelAnswers, ModelAnswers],
    outputs: tuple[NDArray[Any], NDArray[Any]],
    data: BenchData,
) -> PairDifference:
    first, second = models
    whole = metrics_task(data.task).difference(
        outputs[0], outputs[1], data.targets, data.classes, ordered=data.ordered, groups=data.groups
    )
    return PairDifference(
        first=first.row.name,
        second=second.row.name,
        deltas=whole.deltas,
        agreement=whole.agreement,
        flips=whole.flips,
        sensitivity=_by_class(first.named, second.named, first, data),
        answered_wrong=_by_class(_wrong(first), _wrong(second), first, data),
    )


def _wrong(answers: ModelAnswers) -> _Flags:
    """Which images are answered without naming each class [N, K]."""
    return np.asarray(answers.answered[:, None] & ~answers.named)


def _by_class(
    before: _Flags, after: _Flags, answers: ModelAnswers, data: BenchData
) -> dict[str, Estimate]:
    """Difference of the share of flagged images, for each class that occurs."""
    codes = group_codes(data.groups, len(before))
    return {
        name: _gain(before[own, index], after[own, index], codes[own])
        for index, name in enumerate(data.classes)
        if (own := answers.shown[:, index]).any()
    }


def _gain(before: _Flags, after: _Flags, codes: NDArray[np.int64]) -> Estimate:
    drop = class_drop(before, after, codes, TWO_SIDED).drop
    value, low, high = (
        None if each is None else 0.0 - each for each in (drop.value, drop.high, drop.low)
    )
    return Estimate(value=value, low=low, high=high)
