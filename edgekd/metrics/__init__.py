"""Metrics of classifiers, their intervals, and temperature scaling. NumPy only."""

from __future__ import annotations

from edgekd.metrics.classification import (
    ECE_BINS,
    accuracy,
    balanced_accuracy,
    confusion_matrix,
    expected_calibration_error,
    macro_auroc,
    macro_f1,
    sensitivity,
    softmax,
    specificity,
)
from edgekd.metrics.intervals import (
    RESAMPLES,
    BootstrapIntervals,
    Interval,
    balanced_accuracy_difference,
    bootstrap_intervals,
    recall_difference,
    wilson,
)
from edgekd.metrics.summary import ClassMetrics, Estimate, Metrics, metrics_of
from edgekd.metrics.temperature import fit_temperature, negative_log_likelihood

__all__ = [
    "ECE_BINS",
    "RESAMPLES",
    "BootstrapIntervals",
    "ClassMetrics",
    "Estimate",
    "Interval",
    "Metrics",
    "accuracy",
    "balanced_accuracy",
    "balanced_accuracy_difference",
    "bootstrap_intervals",
    "confusion_matrix",
    "expected_calibration_error",
    "fit_temperature",
    "macro_auroc",
    "macro_f1",
    "metrics_of",
    "negative_log_likelihood",
    "recall_difference",
    "sensitivity",
    "softmax",
    "specificity",
    "wilson",
]
