"""A bundle that can be taught, and labelled photos that teach it, in a moment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tiny_bundles import MEANS, write_photo, write_tiny_bundle

from edgekd.data import Dataset, load_dataset

__all__ = ["COLOURS", "FEATURES", "read_lessons", "write_lessons", "write_teachable"]

FEATURES = (np.random.default_rng(3).normal(size=(3, 8)) / 64).astype(np.float32)
"""The features of a photo are its mean colour times this, [3, F]."""

COLOURS = {"angioma": (230, 60, 60), "scar": (60, 220, 60), "naevus": (60, 60, 230)}
"""The colour of each class's photos: classes that the bundle has never heard of."""


def write_teachable(out: Path, **changes: Any) -> Path:
    """A bundle of bkl, mel and nv, with features."""
    return write_tiny_bundle(out, **({"features": FEATURES, "weights": MEANS} | changes))


def write_lessons(
    folder: Path,
    images: int | Mapping[str, int] = 5,
    *,
    colours: Mapping[str, tuple[int, int, int]] = COLOURS,
    groups: Mapping[str, int] | None = None,
    seed: int = 0,
) -> Path:
    """A table of photos of each class; returns the table.

    Args:
        folder: Gets the photos and `labels.csv` with columns image, label, lesion.
        images: Number of photos of each class.
        colours: Colour of each class.
        groups: Number of lesions of a class; by default each photo shows its own.
        seed: Of the shades.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng, lines = np.random.default_rng(seed), ["image,label,lesion"]
    for name, colour in colours.items():
        count = images if isinstance(images, int) else images[name]
        of = (groups or {}).get(name, count)
        for number in range(count):
            shade = np.clip(np.array(colour) + rng.integers(-20, 21, 3), 0, 255)
            red, green, blue = (int(value) for value in shade)
            write_photo(folder / f"{name}-{number}.png", (red, green, blue))
            lines.append(f"{name}-{number}.png,{name},{name}-{number % of}")
    table = folder / "labels.csv"
    table.write_text("\n".join(lines) + "\n")
    return table


def read_lessons(table: Path) -> Dataset:
    """The data set of such a table."""
    section = {"source": "csv", "file": str(table), "group_column": "lesion"}
    return load_dataset(section, "classification")
