"""Distance of a photo from the training images, by sixteen features of its colours and texture.

The energy of a network's output does not separate a fundus photograph from a skin lesion: networks
are confident about kinds of images that they were not trained on. Plain statistics of the image
do separate the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edgekd.runtime.capture.measures import SIDE, Views, opponent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgekd.bundle import Appearance

__all__ = ["FEATURES", "appearance_distance", "appearance_features"]

FEATURES = 16
"""Number of features that describe an image."""

_COARSE = 16
_CORE = slice(SIDE // 4, 3 * SIDE // 4)


def appearance_features(pictures: Views) -> NDArray[np.float64]:
    """The features [16] of an image, computed from its views.

    Means and spreads of Y'CrCb (6), the correlations between its channels (3), contrast at three
    scales and mean gradient of the luma (4), and the difference of the centre from the whole
    image (3). Spreads are logarithms, so that each feature is roughly normally distributed over
    images of one kind.
    """
    colours = opponent(pictures.tiny).astype(np.float32)
    mean = np.array(cv2.mean(colours)[:3])
    centred = colours.reshape(-1, 3) - mean.astype(np.float32)
    covariance = (centred.T @ centred).astype(np.float64) / len(centred)
    spread = np.sqrt(np.diag(covariance))
    correlation = (covariance / np.outer(spread + 1e-3, spread + 1e-3))[(0, 0, 1), (1, 2, 2)]
    core = np.array(cv2.mean(colours[_CORE, _CORE])[:3])
    texture = _texture(colours[..., 0], pictures.grey)
    relative_core = (core - mean) / (spread + 2)
    return np.concatenate((mean, np.log(spread + 1), correlation, texture, relative_core))


def _texture(luma: Any, grey: NDArray[np.uint8]) -> list[float]:
    coarse = cv2.resize(luma, (_COARSE, _COARSE), interpolation=cv2.INTER_AREA)
    across = cv2.Sobel(luma, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(luma, cv2.CV_32F, 0, 1)
    spreads = [_spread_of_laplacian(scale) for scale in (luma, coarse, grey)]
    # Not cv2.magnitude: its last bits depend on the memory alignment of the result.
    gradient = float(np.sqrt(across * across + down * down).mean())
    return [*(float(np.log(spread + 0.5)) for spread in spreads), float(np.log(gradient + 1))]


def _spread_of_laplacian(channel: Any) -> float:
    _, spread = cv2.meanStdDev(cv2.Laplacian(channel, cv2.CV_32F))
    return float(spread[0, 0])


def appearance_distance(
    features: NDArray[np.float64], appearance: Appearance
) -> NDArray[np.float64]:
    """Squared Mahalanobis distance [...] of features [..., 16] from the training images.

    Source: Mahalanobis 1936, "On the generalised distance in statistics".
    """
    whitened = (features - np.array(appearance.mean)) @ np.array(appearance.whitening).T
    return np.asarray(np.square(whitened).sum(axis=-1))
