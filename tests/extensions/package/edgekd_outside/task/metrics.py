"""The metrics layer: coefficient of determination and mean absolute error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekd.errors import InputError
from edgekd.metrics.intervals import RESAMPLES, percentile_interval
from edgekd.metrics.resampling import Groups, counts, group_codes
from edgekd.metrics.summary import Estimate
from edgekd.metrics.summary import Metrics as Summary
from edgekd.metrics.task import Difference, MetricsTask
from edgekd_outside.task.device import TOLERANCE


class Metrics(MetricsTask):
    """`measures` has `r2` and `mean_absolute_error`."""

    selection_metric = "r2"

    def selection(self, outputs: NDArray[Any], targets: NDArray[Any]) -> float:
        """Coefficient of determination."""
        return float(scores(*checked(outputs, targets), np.ones((1, len(targets))))["r2"][0])

    def evaluate(
        self,
        outputs: ArrayLike,
        targets: ArrayLike,
        classes: Sequence[str],
        *,
        ordered: bool = False,
        groups: Groups = None,
    ) -> Summary:
        """Both measures with a bootstrap interval over groups."""
        predicted, true = checked(outputs, targets)
        return Summary(measures=estimates(scores, predicted, true, groups))

    def difference(
        self,
        reference: ArrayLike,
        outputs: ArrayLike,
        targets: ArrayLike,
        classes: Sequence[str],
        *,
        ordered: bool = False,
        groups: Groups = None,
    ) -> Difference:
        """Both measures, outputs minus reference, paired."""
        before, true = checked(reference, targets)
        after, _ = checked(outputs, targets)

        def deltas(both, true, weights):
            first, second = (scores(one, true, weights) for one in both)
            return {name: second[name] - first[name] for name in second}

        same = np.abs(after - before) <= TOLERANCE
        return Difference(
            deltas=estimates(deltas, np.stack([before, after]), true, groups),
            agreement=float(same.mean()) if same.size else None,
            flips=int((~same).sum()),
        )


def checked(outputs: ArrayLike, targets: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """Predicted and true numbers [N].

    Raises:
        InputError: The shapes differ, or a number is not finite.
    """
    predicted, true = (np.asarray(one, np.float64).reshape(-1) for one in (outputs, targets))
    if predicted.shape != true.shape or not np.isfinite(predicted).all():
        raise InputError("the outputs are not one finite number for each image", "check the model")
    return predicted, true


def scores(predicted: NDArray[Any], true: NDArray[Any], weights: NDArray[Any]):
    """Both measures [B] of numbers [N] under the weights of samples [B, N]."""
    total = weights.sum(axis=1)
    error = weights @ (predicted - true) ** 2 / total
    variance = weights @ true**2 / total - (weights @ true / total) ** 2
    return {
        "r2": 1 - error / np.maximum(variance, 1e-12),
        "mean_absolute_error": weights @ np.abs(predicted - true) / total,
    }


def estimates(measure, predicted, true, groups: Groups) -> dict[str, Estimate]:
    """Values with percentile intervals."""
    if not len(true):
        return {}
    values = measure(predicted, true, np.ones((1, len(true))))
    codes = group_codes(groups, len(true))
    blocks = [
        measure(predicted, true, block)
        for block in counts(np.zeros(len(true), np.int64), RESAMPLES, 0, codes)
    ]
    intervals = {
        name: percentile_interval(float(value[0]), np.concatenate([b[name] for b in blocks]))
        for name, value in values.items()
    }
    return {name: Estimate(value=i.value, low=i.low, high=i.high) for name, i in intervals.items()}
