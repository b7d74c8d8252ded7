"""Metrics of classifiers with intervals, and the fitting of decisions. NumPy only."""

from __future__ import annotations

from edgekd.metrics.classification import (
    ECE_BINS,
    accuracy,
    balanced_accuracy,
    confusion_matrix,
    expected_calibration_error,
    macro_auroc,
    macro_f1,
    quadratic_kappa,
    sensitivity,
    softmax,
    specificity,
)
from edgekd.metrics.conformal import conformal_quantile
from edgekd.metrics.difference import paired_difference
from edgekd.metrics.energy import energy_threshold
from edgekd.metrics.exact import effective_images, least_images, loss_bounds
from edgekd.metrics.intervals import (
    RESAMPLES,
    BootstrapIntervals,
    Interval,
    bootstrap_intervals,
    recall_difference,
    share_interval,
    wilson,
)
from edgekd.metrics.label_bits import label_bits
from edgekd.metrics.operating import (
    MIN_CLASS_IMAGES,
    OperatingPoint,
    ReferBand,
    operating_point,
    refer_band_for_coverage,
    refer_band_for_sensitivity,
)
from edgekd.metrics.paired import (
    ClassDrop,
    PairedDrops,
    balanced_accuracy_difference,
    paired_drops,
)
from edgekd.metrics.summary import ClassMetrics, Estimate, Metrics, metrics_of
from edgekd.metrics.temperature import fit_temperature, negative_log_likelihood

__all__ = [
    "ECE_BINS",
    "MIN_CLASS_IMAGES",
    "RESAMPLES",
    "BootstrapIntervals",
    "ClassDrop",
    "ClassMetrics",
    "Estimate",
    "Interval",
    "Metrics",
    "OperatingPoint",
    "PairedDrops",
    "ReferBand",
    "accuracy",
    "balanced_accuracy",
    "balanced_accuracy_difference",
    "bootstrap_intervals",
    "conformal_quantile",
    "confusion_matrix",
    "effective_images",
    "energy_threshold",
    "expected_calibration_error",
    "fit_temperature",
    "label_bits",
    "least_images",
    "loss_bounds",
    "macro_auroc",
    "macro_f1",
    "metrics_of",
    "negative_log_likelihood",
    "operating_point",
    "paired_difference",
    "paired_drops",
    "quadratic_kappa",
    "recall_difference",
    "refer_band_for_coverage",
    "refer_band_for_sensitivity",
    "sensitivity",
    "share_interval",
    "softmax",
    "specificity",
    "wilson",
]
