"""Discs of known size on a plain ground, painted under a seed; the label is the radius."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edgekd.data import Dataset, dataset_of
from edgekd.data.dataset import Sample
from edgekd.recipe import Section


class Config(Section, frozen=True, kw_only=True):
    """Keys of the source.

    Attributes:
        root: Folder of the images.
        images: Number of images.
        size: Their side in pixels.
        seed: Equal seeds give equal images.
    """

    root: str
    images: int = 240
    size: int = 48
    seed: int = 0


def load(config: Config, task: str) -> Dataset:
    """Paint the images; labels are radii as shares of the side."""
    root = Path(config.root)
    root.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(config.seed)
    samples = []
    for number in range(config.images):
        radius = float(generator.uniform(0.1, 0.4))
        image = generator.integers(190, 215, (config.size, config.size, 3)).astype(np.uint8)
        centre = tuple(int(place) for place in generator.integers(20, config.size - 20, 2))
        cv2.circle(image, centre, round(radius * config.size), (40, 60, 90), -1, cv2.LINE_AA)
        name = f"disc-{number:04}.png"
        cv2.imwrite(str(root / name), image)
        samples.append(Sample(name, f"{radius:.4f}", ""))
    return dataset_of("discs", root, samples, classes=("radius",), licence="CC0", task=task)
