"""The energy threshold above which an input is out of distribution (Liu et al. 2020)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from edgekd.metrics.operating import count_for

__all__ = ["energy_threshold"]


def energy_threshold(energies: ArrayLike, coverage: float = 0.97) -> float | None:
    """The smallest energy that at least a share `coverage` of the images does not exceed.

    It is the ⌈coverage · N⌉-th smallest; an input with a higher energy is out of distribution. It
    fixes the share of in-distribution images that are rejected, not the share of others that are
    detected: that needs out-of-distribution images.

    Args:
        energies: Energies of in-distribution images [N], from raw logits.
        coverage: Share of them that stays below the threshold, in (0, 1].

    Returns:
        The threshold; None without images, or where so many outputs are not finite that it
        would be infinite.

    Raises:
        InputError: The coverage is out of range.
    """
    ordered = np.sort(np.asarray(energies, np.float64), axis=None)
    needed = count_for(coverage, ordered.size)
    threshold = float(ordered[needed - 1]) if needed else np.inf
    return threshold if np.isfinite(threshold) else None
