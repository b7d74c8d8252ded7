"""The metrics layer of findings that may occur together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekd.errors import InputError
from edgekd.metrics.exact import TWO_SIDED
from edgekd.metrics.intervals import (
    RESAMPLES,
    Interval,
    bias_corrected,
    percentile_interval,
    share_interval,
)
from edgekd.metrics.resampling import Groups, counts, group_codes
from edgekd.metrics.summary import ClassMetrics, Estimate
from edgekd.metrics.summary import Metrics as Summary
from edgekd.metrics.task import Difference, MetricsTask
from edgekd.tasks.multilabel.paired import enough_units, finding_drops
from edgekd.tasks.multilabel.scores import FindingAnswers, checked_findings, scores_of

__all__ = ["Metrics"]

_Codes = NDArray[np.int64]


class Metrics(MetricsTask):
    """The metrics layer; outputs are logits [N, K], targets 0 and 1 [N, K].

    A finding is answered present where its probability is at least 0.5. The best epoch has the
    highest balanced accuracy: the mean over findings of (sensitivity + specificity) / 2.
    """

    selection_metric = "balanced_accuracy"

    def selection(self, outputs: NDArray[Any], targets: NDArray[Any]) -> float:
        """Balanced accuracy; 0.5, that of chance, where no finding has images of both kinds."""
        answers = checked_findings(outputs, targets)
        value = float(scores_of(answers, np.ones((1, len(targets)))).balanced_accuracy[0])
        return value if np.isfinite(value) else 0.5

    def evaluate(
        self,
        outputs: ArrayLike,
        targets: ArrayLike,
        classes: Sequence[str],
        *,
        ordered: bool = False,
        groups: Groups = None,
    ) -> Summary:
        """See `MetricsTask.evaluate`.

        `accuracy` is the share of images with every finding right. Proportions have Wilson's
        interval, the others a bootstrap over images or groups; it has no bounds where fewer than
        two groups have a finding, or lack it. A bootstrap sample without images that have a
        finding, or that lack it, leaves the finding out of its means.

        Raises:
            InputError: See `checked_findings`; or there are not K names.
        """
        answers = checked_findings(outputs, targets)
        if len(classes) != answers.true.shape[1]:
            message = f"{len(classes)} names do not fit {answers.true.shape[1]} findings"
            raise InputError(message, "give the findings that the model was trained on")
        codes = group_codes(groups, len(answers.true))
        bootstrapped = _bootstrapped(answers, codes)
        return Summary(
            accuracy=_estimate(share_interval(answers.right.all(axis=1), codes)),
            balanced_accuracy=_estimate(bootstrapped["balanced_accuracy"]),
            macro_f1=_estimate(bootstrapped["macro_f1"]),
            macro_auroc=_estimate(bootstrapped["macro_auroc"]),
            ece=_estimate(bootstrapped["ece"]),
            per_class=dict(zip(classes, _by_finding(answers, codes), strict=True)),
        )

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
        """Difference of the balanced accuracy, with the exact bounds of `finding_drops`.

        Two outputs agree where all of their findings do.

        Raises:
            InputError: See `checked_findings`.
        """
        first, second = (checked_findings(one, targets) for one in (reference, outputs))
        drops = finding_drops(reference, outputs, targets, groups=groups, level=TWO_SIDED)
        drop, same = drops.balanced_accuracy_drop, (first.present == second.present).all(axis=1)
        value, high, low = (None if one is None else 0.0 - one for one in _numbers(drop))
        return Difference(
            deltas={"balanced_accuracy": Estimate(value=value, low=low, high=high)},
            agreement=float(same.mean()) if same.size else None,
            flips=int((~same).sum()),
        )


def _numbers(estimate: Estimate) -> tuple[float | None, float | None, float | None]:
    return estimate.value, estimate.low, estimate.high


def _estimate(interval: Interval) -> Estimate:
    return Estimate(value=interval.value, low=interval.low, high=interval.high)


def _by_finding(answers: FindingAnswers, codes: _Codes) -> Iterator[ClassMetrics]:
    for present, true in zip(answers.present.T, answers.true.T, strict=True):
        yield ClassMetrics(
            sensitivity=_estimate(share_interval(present[true], codes[true])),
            specificity=_estimate(share_interval(~present[~true], codes[~true])),
            n=int(true.sum()),
        )


def _bootstrapped(answers: FindingAnswers, codes: _Codes) -> dict[str, Interval]:
    """Intervals of the metrics that are not proportions, by name."""
    images = len(answers.true)
    if not images:
        return dict.fromkeys(
            ("balanced_accuracy", "macro_f1", "macro_auroc", "ece"), Interval(None)
        )
    values = scores_of(answers, np.ones((1, images)))._asdict()
    known = {name: _known(value[0]) for name, value in values.items()}
    if not enough_units(answers.true, codes):
        return {name: Interval(value) for name, value in known.items()}
    blocks = counts(np.zeros(images, np.int64), RESAMPLES, 0, codes)
    samples = [scores_of(answers, block) for block in blocks]
    intervals = {}
    for name, value in known.items():
        sample = np.concatenate([getattr(one, name) for one in samples])
        sample = sample[np.isfinite(sample)]
        interval = percentile_interval(value, sample if sample.size else None)
        intervals[name] = bias_corrected(interval, sample) if name == "ece" else interval
    return intervals


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
