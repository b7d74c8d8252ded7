"""The ranges of a student's layers over images, as a backend's calibration sees them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from edgekd.lower.graph import DeployGraph
from edgekd.models.simulated_int8 import Range, ranges_observed

__all__ = ["observe_ranges"]


def observe_ranges(
    graph: DeployGraph, images: NDArray[np.uint8], *, batch_size: int = 32
) -> dict[str, Range]:
    """Least and greatest input of each layer of `graph.network` over all images.

    Args:
        graph: The student, in eval mode.
        images: uint8 [N, S, S, 3].
        batch_size: Images at once; the ranges do not depend on it.

    Returns:
        By the layer's name in `graph.network`, in the order of computation. A layer that did not
        take part (one of a training head) is missing.
    """
    with ranges_observed(graph.network) as ranges:
        for start in range(0, len(images), batch_size):
            graph(torch.from_numpy(np.array(images[start : start + batch_size])))
    return ranges
