"""Information that a teacher of subclasses gives a student beyond the classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from edgekd.errors import InputError
from edgekd.metrics.classification import Floats, softmax

__all__ = ["label_bits"]


def label_bits(logits: ArrayLike, subclass_of: Sequence[int], temperature: float = 1.0) -> float:
    """Mean over the images of H(p(s|x)) − H(p(c|x)), in bits.

    That is Σ_c p(c|x)·H(p(s|x, c)): 0 where one subclass of each class has all of its probability,
    and at most log₂ of the largest number of subclasses of a class.

    Args:
        logits: Subclass logits [N, S].
        subclass_of: Class index of each subclass [S].
        temperature: Temperature of the softmax; p(c|x) is the sum over its softened subclasses.

    Raises:
        InputError: There are no images, S differs, or the temperature is not positive.

    Source: the measure of Sajedi & Plataniotis 2021 (arXiv 2109.05587, 0.4656 bits per sample on
    its own data), by the chain rule; whether they use the same estimator, and at which temperature,
    could not be determined.
    """
    scores = np.asarray(logits, np.float64)
    if scores.ndim != 2 or scores.shape[1] != len(subclass_of) or not len(scores):
        message = f"logits {list(scores.shape)} do not fit {len(subclass_of)} subclasses"
        raise InputError(message, "give one logit for each subclass of each image")
    if temperature <= 0:
        raise InputError(f"the temperature {temperature} is not positive", "give one above 0")
    probabilities = softmax(scores / temperature)
    members = np.eye(max(subclass_of) + 1)[list(subclass_of)]
    return float((_entropy(probabilities) - _entropy(probabilities @ members)).mean())


def _entropy(probabilities: Floats) -> Floats:
    """Entropy of each row in bits [N]; 0·log 0 = 0."""
    safe = np.where(probabilities > 0, probabilities, 1.0)
    return np.asarray(-(probabilities * np.log2(safe)).sum(axis=1))
