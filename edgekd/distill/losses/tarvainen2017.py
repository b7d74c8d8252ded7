"""The student's moving average as its teacher: Tarvainen & Valpola 2017, "Mean teachers are better
role models" (NeurIPS; arXiv 1703.01780).

The consistency of the two outputs is measured as in CRCKD's released code, by `softened_kl` at
T = 1; the paper takes the squared difference.
"""

from __future__ import annotations

from math import exp

__all__ = ["average_decay", "ramp_up"]


def ramp_up(epoch: float, length: float) -> float:
    """exp(−5·(1 − epoch/length)²), from e⁻⁵ at epoch 0 to 1 at `length` and after it.

    Source: Laine & Aila 2017, "Temporal Ensembling for Semi-Supervised Learning" (ICLR).
    """
    if epoch >= length:
        return 1.0
    return exp(-5.0 * (1.0 - epoch / length) ** 2)


def average_decay(updates: int, limit: float) -> float:
    """α of the update that follows `updates` earlier ones: min(1 − 1/(updates + 1), limit).

    The first update copies the student; the average is the arithmetic mean until α reaches the
    limit.
    """
    return min(1.0 - 1.0 / (updates + 1), limit)
