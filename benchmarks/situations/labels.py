"""Tables of the images with some labels changed or left out."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from arms import SPLIT

from edgekd.data import Dataset, Split, load_dataset, split_dataset
from edgekd.data.dataset import Sample
from edgekd.files import write_atomically
from edgekd.recipe import SplitSection, convert

__all__ = ["without_classes", "wrong_labels"]


def wrong_labels(data: dict[str, Any], share: float, file: Path) -> dict[str, Any]:
    """The data set as a table, in which a share of the training images have another class.

    The other class is drawn evenly, image by image; validation and test keep their labels.
    """
    dataset = load_dataset(data, "classification")
    parts = _parts(split_dataset(dataset, convert(SPLIT, SplitSection, "`split`")))
    draw = np.random.default_rng(0)
    rows = []
    for index, sample in enumerate(dataset.samples):
        label = sample.label
        if parts[index] == "train" and draw.random() < share:
            label = str(draw.choice([name for name in dataset.classes if name != label]))
        rows.append((sample, label, parts[index]))
    written = _write(dataset, rows, dataset.classes, file)
    return {**written, "name": f"{dataset.name}, wrong labels", "split_column": "split"}


def without_classes(
    data: dict[str, Any], left_out: Sequence[str], file: Path
) -> tuple[dict[str, Any], Dataset]:
    """The data set as a table without some classes, and the whole one."""
    dataset = load_dataset(data, "classification")
    rows = [(one, one.label, "") for one in dataset.samples if one.label not in left_out]
    classes = tuple(name for name in dataset.classes if name not in left_out)
    written = _write(dataset, rows, classes, file)
    return {**written, "name": f"{dataset.name}, {len(classes)} classes"}, dataset


def _write(
    dataset: Dataset, rows: Iterable[tuple[Sample, str, str]], classes: Sequence[str], file: Path
) -> dict[str, Any]:
    """A table of samples with labels and parts, and the keys of `data` that read it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "label", "lesion", "split"])
    for sample, label, part in rows:
        writer.writerow([dataset.root / sample.image, label, sample.group, part])
    write_atomically(file, text.getvalue())
    return {
        "source": "csv", "file": str(file), "classes": list(classes), "group_column": "lesion",
    }  # fmt: skip


def _parts(split: Split) -> dict[int, str]:
    return {i: part for part in ("train", "validation", "test") for i in split.indices(part)}
