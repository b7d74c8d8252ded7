"""The images of each part of a split in numbers, for the manifest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgekd.bundle import DataRecord, PartRecord
from edgekd.data import Split
from edgekd.data.dataset import Dataset
from edgekd.data.part_names import PARTS

__all__ = ["data_record"]


def data_record(split: Split) -> DataRecord:
    """Number of images, lesions or patients, of each class and of each attribute's values."""
    indices = {part: split.indices(part) for part in PARTS}
    used, shown = sum(map(len, indices.values())), split.dataset.shows()
    return DataRecord(
        name=split.dataset.name,
        parts={part: _part(split.dataset, i, shown[i]) for part, i in indices.items() if i},
        unused=len(split.parts) - used,
    )


def _part(dataset: Dataset, indices: Sequence[int], shown: NDArray[np.bool_]) -> PartRecord:
    samples = [dataset.samples[index] for index in indices]
    return PartRecord(
        images=len(samples),
        groups=len({sample.group for sample in samples}),
        classes=dict(zip(dataset.classes, shown.sum(axis=0).tolist(), strict=True)),
        attributes={
            name: _sorted_counts([sample.attributes.get(name, "") for sample in samples])
            for name in dataset.attributes
        },
    )


def _sorted_counts(values: Sequence[str]) -> dict[str, int]:
    """The number of each value, in alphabetical order so that equal parts are written equally."""
    return dict(sorted(Counter(values).items()))
