"""Painted images for self-test vectors: a shipped student may carry no image of a patient."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edgekd.data import Dataset, Sample, Split
from edgekd.data.synthetic import CLASSES, MINIMUM_SIZE, paint

__all__ = ["PAINTED_IMAGES", "painted_images", "painted_split"]

PAINTED_IMAGES = 16
_NAME = "painted dermoscopy"


def painted_images(size: int) -> NDArray[np.uint8]:
    """Painted dermoscopy, uint8 [16, S, S, 3]: every painted diagnosis in turn.

    They ship with a student: another build of OpenCV would paint single pixels differently.
    """
    side = max(size, MINIMUM_SIZE)
    images = [
        paint(CLASSES[number % len(CLASSES)], number, side) for number in range(PAINTED_IMAGES)
    ]
    if side != size:
        images = [
            cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA).astype(np.uint8)
            for image in images
        ]
    return np.stack(images)


def painted_split(count: int, classes: tuple[str, ...], task: str) -> Split:
    """The images as a data set whose only part is `validation`; they have no labels."""
    samples = tuple(Sample(f"painted-{number:02d}", "", "") for number in range(count))
    dataset = Dataset(_NAME, Path(), classes, samples, task=task)
    return Split(dataset, ("validation",) * count)
