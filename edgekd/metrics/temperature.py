"""Temperature scaling (Guo et al. 2017, section 4.2): one number that divides the logits."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from edgekd.errors import InputError
from edgekd.metrics.classification import Floats, Integers, checked

__all__ = ["fit_temperature", "negative_log_likelihood"]

LOWEST, HIGHEST = 0.05, 20.0
_GOLDEN = (math.sqrt(5) - 1) / 2
_TOLERANCE = 1e-6  # of log T


def fit_temperature(logits: ArrayLike, targets: ArrayLike) -> float:
    """The temperature in [0.05, 20] with the least negative log-likelihood.

    The likelihood has one minimum in T (it is convex in 1/T), so a golden-section search over
    log T finds it. Where every decision is right the minimum is at the lower limit: such images
    do not determine the temperature.

    Args:
        logits: [N, K], finite.
        targets: Class indices [N].

    Raises:
        InputError: There are no images, or see `edgekd.metrics.classification.checked`.
    """
    scores, labels = checked(logits, targets)
    if not labels.size:
        message = "a temperature cannot be fitted without images"
        raise InputError(message, "give the labelled images of the calibration part")
    low, high = math.log(LOWEST), math.log(HIGHEST)
    while high - low > _TOLERANCE:
        inner = high - _GOLDEN * (high - low)
        outer = low + _GOLDEN * (high - low)
        if _loss(scores, labels, inner) <= _loss(scores, labels, outer):
            high = outer
        else:
            low = inner
    return min(HIGHEST, max(LOWEST, math.exp((low + high) / 2)))


def negative_log_likelihood(
    logits: ArrayLike, targets: ArrayLike, temperature: float = 1.0
) -> float:
    """Mean of -log p(true class) in nats, with the logits divided by the temperature.

    Raises:
        InputError: There are no images, or see `edgekd.metrics.classification.checked`.
    """
    scores, labels = checked(logits, targets)
    if not labels.size or temperature <= 0:
        message = "a likelihood needs images and a positive temperature"
        raise InputError(message, "give at least one image")
    return _loss(scores, labels, math.log(temperature))


def _loss(scores: Floats, labels: Integers, log_temperature: float) -> float:
    scaled = scores / math.exp(log_temperature)
    scaled -= scaled.max(axis=1, keepdims=True)
    true = scaled[np.arange(labels.size), labels]
    return float(np.mean(np.log(np.exp(scaled).sum(axis=1)) - true))
