"""The energy of an output, by which inputs unlike the training data are told (Liu et al. 2020)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from edgekd.metrics.classification import Floats
from edgekd.metrics.operating import count_for

__all__ = ["energy_of", "energy_threshold"]


def energy_of(logits: ArrayLike) -> Floats:
    """Energy [...] of raw logits [..., K]: -log Σ exp(z), in nats, float64.

    Low where the network is strongly for some class. The logits are taken as they come out of
    the network: the temperature of the probabilities has no part in it. Where a logit is not
    finite the energy is infinite, so that such an output counts as out of distribution.

    Source: Liu et al. 2020, "Energy-based Out-of-distribution Detection", equation 4 with T = 1,
    which the paper uses throughout.
    """
    raw = np.asarray(logits, np.float64)
    finite = np.asarray(np.isfinite(raw).all(axis=-1))
    scores = np.where(finite[..., None], raw, 0.0)
    top = scores.max(axis=-1)
    # Two huge logits may lie further apart than float64 reaches: the lower one adds 0 either way.
    with np.errstate(over="ignore"):
        rest = np.log(np.exp(scores - top[..., None]).sum(axis=-1))
    return np.asarray(np.where(finite, -(top + rest), np.inf))


def energy_threshold(energies: ArrayLike, kept: float = 0.97) -> float | None:
    """The smallest energy that at least a share `kept` of the images does not exceed.

    It is the ⌈kept · N⌉-th smallest; an input with a higher one is out of distribution. It says
    how many familiar images are turned away, not how many strange ones are caught: only strange
    images can tell that.

    Args:
        energies: Of `energy_of`, [N], on raw logits of familiar images.
        kept: In (0, 1].

    Returns:
        The threshold; None without images, or where so many outputs are not finite that it
        would be infinite.

    Raises:
        InputError: A request out of range.
    """
    ordered = np.sort(np.asarray(energies, np.float64), axis=None)
    needed = count_for(kept, ordered.size)
    threshold = float(ordered[needed - 1]) if needed else np.inf
    return threshold if np.isfinite(threshold) else None
