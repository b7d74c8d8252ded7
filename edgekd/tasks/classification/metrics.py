"""The metrics layer of classification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekd.metrics import balanced_accuracy_difference, metrics_of, paired_difference
from edgekd.metrics.classification import checked, quadratic_kappa_of
from edgekd.metrics.resampling import Groups
from edgekd.metrics.summary import Estimate
from edgekd.metrics.summary import Metrics as Summary
from edgekd.metrics.task import Difference, MetricsTask

__all__ = ["Metrics"]


class Metrics(MetricsTask):
    """The metrics layer of classification; the best epoch has the highest balanced accuracy."""

    selection_metric = "balanced_accuracy"

    def selection(self, outputs: NDArray[Any], targets: NDArray[Any]) -> float:
        """Mean recall over the classes that occur, from logits [N, K] and class indices [N]."""
        hits = outputs.argmax(axis=1) == targets
        return float(np.mean([hits[targets == label].mean() for label in np.unique(targets)]))

    def evaluate(
        self,
        outputs: ArrayLike,
        targets: ArrayLike,
        classes: Sequence[str],
        *,
        ordered: bool = False,
        groups: Groups = None,
    ) -> Summary:
        """See `edgekd.metrics.metrics_of`."""
        return metrics_of(outputs, targets, classes, ordered=ordered, groups=groups)

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
        """Differences of balanced accuracy and, for grades, of the quadratic weighted kappa.

        The first is `edgekd.metrics.balanced_accuracy_difference`, the second a paired bootstrap.
        Logits [N, K] may have any temperature: it changes no top class. Two outputs agree where
        their top classes do.

        Raises:
            InputError: Shapes do not fit, a target is no class, or a logit is not finite.
        """
        first, labels = checked(reference, targets)
        second, _ = checked(outputs, targets)
        before, after = first.argmax(axis=1), second.argmax(axis=1)
        deltas = {
            "balanced_accuracy": balanced_accuracy_difference(first, second, labels, groups=groups)
        }
        if ordered:
            deltas["quadratic_kappa"] = paired_difference(
                quadratic_kappa_of, before[None], after[None], labels, len(classes), groups=groups
            )
        same = int(np.count_nonzero(before == after))
        return Difference(
            deltas={name: Estimate(**delta._asdict()) for name, delta in deltas.items()},
            agreement=same / labels.size if labels.size else None,
            flips=int(labels.size) - same,
        )
