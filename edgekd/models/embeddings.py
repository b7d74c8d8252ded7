"""The features of many images, as a head or a clustering reads them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from edgekd.models.features import features_of
from edgekd.models.normalised import NormalisedNetwork, pixels_of

__all__ = ["embeddings_of"]

_BATCH = 64


def embeddings_of(network: NormalisedNetwork, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The input of a network's classifier [N, F] for images uint8 [N, S, S, 3].

    Raises:
        InputError: The network does not give its features.
    """
    network.eval()
    rows = []
    with torch.inference_mode():
        for start in range(0, len(images), _BATCH):
            batch = torch.from_numpy(np.array(images[start : start + _BATCH]))
            rows.append(features_of(network, pixels_of(batch)).pooled.float().numpy())
    return np.concatenate(rows)
