"""Calibration images: a draw from the training part alone, balanced over the task's strata."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekd.data import Split
from edgekd.data.task import data_task
from edgekd.errors import InputError
from edgekd.lower.store import array_sha256

__all__ = ["DEFAULT_IMAGES", "MIN_IMAGES", "CalibrationSet", "draw_calibration"]

DEFAULT_IMAGES = 512
MIN_IMAGES = 64
"""Fewer leave activation ranges to chance; such a build is refused."""


@dataclass(frozen=True)
class CalibrationSet:
    """Images on which int8 ranges are measured.

    Attributes:
        indices: Positions in the data set.
        names: Names of the images in the data set.
        images: uint8 [N, S, S, 3].
        sha256: Hash of the images as the network gets them.
        part: The part of the data that they are of.
    """

    indices: tuple[int, ...]
    names: tuple[str, ...]
    images: NDArray[np.uint8]
    sha256: str
    part: str = "train"

    def record(self) -> dict[str, Any]:
        """The manifest's record of the draw."""
        return {
            "part": self.part,
            "images": len(self.indices),
            "sha256": self.sha256,
            "list": list(self.names),
        }


def draw_calibration(
    split: Split, pixels: NDArray[np.uint8], *, images: int = DEFAULT_IMAGES, seed: int = 0
) -> CalibrationSet:
    """Draw from the training part, every stratum in turn, until there are enough.

    Strata are those of the task's data layer: the classes, for classification. A stratum that runs
    out leaves its place to the others, so the draw is as even as the data allow. The first few of
    a draw are themselves an even draw.

    Args:
        split: The data set in its parts.
        pixels: All its images, uint8 [M, S, S, 3].
        images: Number of images to draw.
        seed: The same seed draws the same images.

    Raises:
        InputError: The training part has fewer than `MIN_IMAGES` images.
    """
    train = split.indices("train")
    if min(images, len(train)) < MIN_IMAGES:
        message = f"{min(images, len(train))} calibration images are fewer than {MIN_IMAGES}"
        raise InputError(message, "ask for more, or give more images")
    chosen = tuple(_round_robin(split, train, images, seed))
    names = tuple(split.dataset.samples[index].image for index in chosen)
    drawn = np.asarray(pixels[list(chosen)])
    return CalibrationSet(chosen, names, drawn, array_sha256(drawn))


def _round_robin(split: Split, train: list[int], images: int, seed: int) -> list[int]:
    dataset, rng = split.dataset, np.random.default_rng(seed)
    strata = data_task(dataset.task).strata(dataset.labels(), dataset.classes)
    names = (*dataset.classes, *sorted(set(strata)))  # classes first, in the model's order
    queues: dict[str, list[int]] = {name: [] for name in names}
    for position in rng.permutation(len(train)):
        index = train[position]
        queues[strata[index]].append(index)
    chosen: list[int] = []
    while len(chosen) < min(images, len(train)):
        for queue in queues.values():
            if queue and len(chosen) < images:
                chosen.append(queue.pop())
    return chosen
