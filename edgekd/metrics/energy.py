"""A threshold for energies, by which inputs unlike the training data are told (Liu et al. 2020)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from edgekd.metrics.operating import count_for

__all__ = ["energy_threshold"]


def energy_threshold(energies: ArrayLike, kept: float = 0.97) -> float | None:
    """The smallest energy that at least a share `kept` of the images does not exceed.

    It is the ⌈kept · N⌉-th smallest; an input with a higher one is out of distribution. It says
    how many familiar images are turned away, not how many strange ones are caught: only strange
    images can tell that.

    Args:
        energies: Of the energies, [N], on raw logits of familiar images.
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
