"""Calibration on images that a generator made, for a student that was distilled without any."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgekd.bundle.manifest import SYNTHESISED
from edgekd.data import Split, decoded_images, load_dataset
from edgekd.lower.int8.calibration import MIN_IMAGES, CalibrationSet, draw_calibration
from edgekd.models import ModelCard
from edgekd.models.card import SYNTHESISED_FOLDER, SYNTHESISED_LABELS

__all__ = ["synthesised_calibration"]


def synthesised_calibration(folder: Path, card: ModelCard, images: int) -> CalibrationSet | None:
    """Images that a student without data was taught with, for int8 ranges and nothing else.

    They are what its teacher takes for images of each class. What a camera takes may be brighter,
    or otherwise outside of their ranges: a file that they calibrated is judged on real images.

    Args:
        folder: The student's checkpoint.
        card: Its card.
        images: Number of images to draw, as `draw_calibration` does.

    Returns:
        None where the checkpoint keeps none, or fewer than `MIN_IMAGES`.

    Raises:
        InputError: `images` is below `MIN_IMAGES`, an image is missing or damaged, or the labels
            are not the student's classes.
    """
    table = folder / SYNTHESISED_FOLDER / SYNTHESISED_LABELS
    if not table.is_file():
        return None
    section = {"source": "csv", "file": str(table), "classes": list(card.classes)}
    dataset = load_dataset(section, card.task)
    if len(dataset.samples) < MIN_IMAGES:
        return None
    pixels = decoded_images(dataset, card.image_size)
    split = Split(dataset, ("train",) * len(dataset.samples))
    return replace(draw_calibration(split, pixels, images=images), part=SYNTHESISED)
