"""All metrics of one network on one set of images, as typed records for reports and manifests."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekd.metrics.classification import Integers, checked, top_class
from edgekd.metrics.intervals import Interval, bootstrap_intervals, share_interval
from edgekd.metrics.resampling import Groups, group_codes

__all__ = ["ClassMetrics", "Estimate", "Metrics", "metrics_of"]


class _Section(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Estimate(_Section, frozen=True, kw_only=True):
    """A value with its 95 % interval; null bounds where there are too few images for one."""

    value: float | None
    low: float | None = None
    high: float | None = None


class ClassMetrics(_Section, frozen=True, kw_only=True):
    """One class or finding against the rest; `n` images have it."""

    sensitivity: Estimate
    specificity: Estimate
    n: int


class Metrics(_Section, frozen=True, kw_only=True):
    """Metrics of a network's answers on a labelled set; null where the task lacks one.

    Attributes:
        accuracy: Share of images whose whole answer is right.
        balanced_accuracy: Mean sensitivity of the classes; for findings that may occur together
            the mean of (sensitivity + specificity) / 2.
        macro_f1: Mean F1 of the classes or findings.
        macro_auroc: Mean area under the ROC curve, each class or finding against the rest.
        ece: Expected calibration error.
        per_class: Metrics by class or finding.
        quadratic_kappa: Quadratic weighted kappa; graded classes only.
        measures: Further metrics of the task, by name.
    """

    accuracy: Estimate | None = None
    balanced_accuracy: Estimate | None = None
    macro_f1: Estimate | None = None
    macro_auroc: Estimate | None = None
    ece: Estimate | None = None
    per_class: dict[str, ClassMetrics] = {}
    quadratic_kappa: Estimate | None = None
    measures: dict[str, Estimate] = {}


def metrics_of(
    logits: ArrayLike,
    targets: ArrayLike,
    classes: Sequence[str],
    *,
    ordered: bool = False,
    groups: Groups = None,
) -> Metrics:
    """Every metric of a classifier with its interval.

    Args:
        logits: [N, K], already divided by the temperature, which affects only ECE and AUROC.
        targets: Class indices [N].
        classes: The K class names.
        ordered: Whether the classes are grades, each one worse than the one before.
        groups: The lesion or patient of each image [N], by any name. Intervals take groups as
            independent; None takes images as independent.

    Raises:
        InputError: The shapes do not fit, a target is not a class, or a logit is not finite.
    """
    scores, labels = checked(logits, targets)
    codes = None if groups is None else group_codes(groups, labels.size)
    decided = top_class(scores)
    bootstrapped = bootstrap_intervals(scores, labels, groups=codes)
    return Metrics(
        accuracy=_estimate(share_interval(decided == labels, codes)),
        balanced_accuracy=_estimate(bootstrapped.balanced_accuracy),
        macro_f1=_estimate(bootstrapped.macro_f1),
        macro_auroc=_estimate(bootstrapped.macro_auroc),
        ece=_estimate(bootstrapped.ece),
        per_class={
            name: _class_metrics(decided == k, labels == k, codes) for k, name in enumerate(classes)
        },
        quadratic_kappa=_estimate(bootstrapped.quadratic_kappa) if ordered else None,
    )


def _class_metrics(
    decided: NDArray[np.bool_], true: NDArray[np.bool_], codes: Integers | None
) -> ClassMetrics:
    own, others = (None if codes is None else codes[chosen] for chosen in (true, ~true))
    return ClassMetrics(
        sensitivity=_estimate(share_interval(decided[true], own)),
        specificity=_estimate(share_interval(~decided[~true], others)),
        n=int(true.sum()),
    )


def _estimate(interval: Interval) -> Estimate:
    return Estimate(value=interval.value, low=interval.low, high=interval.high)
