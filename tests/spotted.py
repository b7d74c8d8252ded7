"""Labelled images that a small network learns in a second."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIZE = 32
CLASSES = 4


def make_images(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Skin with a spot whose colour tells the class."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, count)
    spots = np.array([[120, 60, 40], [190, 60, 40], [110, 110, 60], [100, 60, 120]])
    images = rng.normal((200, 150, 130), 12, (count, SIZE, SIZE, 3))
    for image, label in zip(images, labels, strict=True):
        top, left = rng.integers(2, SIZE - 18, 2)
        image[top : top + 16, left : left + 16] += spots[label] - (200, 150, 130)
    return images.clip(0, 255).astype(np.uint8), labels
