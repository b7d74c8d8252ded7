"""Splitting a data set: by group, stratified by label, under a seed."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekd.data.dataset import Dataset, Sample, dataset_of
from edgekd.data.table import read_table
from edgekd.errors import InputError
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.recipe import SplitSection, fingerprint

__all__ = ["PARTS", "Split", "read_split", "split_dataset", "write_split"]

PARTS = ("train", "validation", "test")
_UNUSED = "unused"
"""Of images that `train_share` leaves out."""


@dataclass(frozen=True)
class Split:
    """A data set and the part of each of its samples."""

    dataset: Dataset
    parts: tuple[str, ...]

    def indices(self, part: str) -> list[int]:
        """Indices of the samples of one part, in the data set's order."""
        return [index for index, name in enumerate(self.parts) if name == part]

    def counts(self) -> dict[str, int]:
        """Number of images by part."""
        numbers = Counter(self.parts)
        return {part: numbers[part] for part in PARTS}

    def sha256(self) -> str:
        """Hash of the list of images, labels (subclasses, where there are any) and parts."""
        rows = [
            (sample.image, *_labels(sample), part)
            for sample, part in zip(self.dataset.samples, self.parts, strict=True)
        ]
        return fingerprint(self.dataset.classes, rows)


def split_dataset(dataset: Dataset, section: SplitSection) -> Split:
    """Split a data set by group: within each stratum, shuffled groups fill test, then validation.

    The strata are those of the task (its classes), divided by subclass where there are subclasses:
    a part must not lack the rare ones. A group whose images are of several strata counts for the
    most frequent one. A stratum of three groups or more gets at least one group into every part
    with a share. With `folds`, the groups of each stratum are dealt evenly to the folds, whichever
    of them is the test part. Last, `train_share` leaves training groups of each stratum out.

    Raises:
        InputError: Validation and test leave nothing to train on.
    """
    test = 0.0 if section.folds else section.test
    if section.validation + test >= 0.95:
        message = "split.validation and split.test leave too little to train on"
        raise InputError(message, "let their sum be below 0.95")
    members: dict[str, list[int]] = defaultdict(list)
    for index, sample in enumerate(dataset.samples):
        members[sample.group].append(index)
    parts = ["train"] * len(dataset.samples)
    rng = np.random.default_rng(section.seed)
    filled = [0] * section.folds
    strata = list(_groups_by_stratum(dataset, members).values())
    for groups in strata:
        order = [groups[position] for position in rng.permutation(len(groups))]
        if section.folds:
            tested = _fold(order, members, filled, section.fold)
            order = [group for group in order if group not in tested]
            _put("test", tested, members, parts)
        shares = {"test": test, "validation": section.validation}
        _deal(order, members, shares, parts)
    if section.train_share < 1.0:
        _leave_out(strata, members, section, parts)
    return Split(dataset, tuple(parts))


def _groups_by_stratum(
    dataset: Dataset, members: Mapping[str, list[int]]
) -> dict[tuple[str, str], list[str]]:
    """The groups of each stratum, in the order of the classes, then of the names."""
    strata = dataset.strata()
    position = {name: number for number, name in enumerate(dataset.classes)}
    order = sorted(set(strata), key=lambda one: (position.get(one[0], len(position)), one))
    by_stratum: dict[tuple[str, str], list[str]] = {stratum: [] for stratum in order}
    for group, indices in members.items():
        votes = Counter(strata[index] for index in indices)
        by_stratum[max(sorted(votes), key=votes.__getitem__)].append(group)
    return by_stratum


def _labels(sample: Sample) -> tuple[str, ...]:
    return (sample.label, sample.subclass) if sample.subclass else (sample.label,)


def _fold(
    groups: Sequence[str], members: Mapping[str, list[int]], filled: list[int], fold: int
) -> set[str]:
    """The groups of one stratum that fall to a fold.

    Large groups first, each to the fold that has the fewest images of the stratum, and of those to
    the one with the fewest at all (`filled`, which grows).
    """
    of_stratum = [0] * len(filled)
    chosen = set()
    for group in sorted(groups, key=lambda name: -len(members[name])):
        place = min(range(len(filled)), key=lambda number: (of_stratum[number], filled[number]))
        for counts in (of_stratum, filled):
            counts[place] += len(members[group])
        if place == fold:
            chosen.add(group)
    return chosen


def _put(
    part: str, groups: Iterable[str], members: Mapping[str, list[int]], parts: list[str]
) -> None:
    for group in groups:
        for index in members[group]:
            parts[index] = part


def _deal(
    groups: Sequence[str],
    members: Mapping[str, list[int]],
    shares: Mapping[str, float],
    parts: list[str],
) -> None:
    """Give one stratum's groups to the parts, by number of images; the rest is for training."""
    if len(groups) < 3:
        return
    total = sum(len(members[group]) for group in groups)
    remaining = list(groups)
    nonempty = [part for part, share in shares.items() if share > 0.0]
    for place, part in enumerate(nonempty):
        reserved = len(nonempty) - place  # a group for each later part, and one to train on
        filled = 0
        while len(remaining) > reserved:
            if filled and filled + len(members[remaining[-1]]) / 2 > shares[part] * total:
                break
            group = remaining.pop()
            filled += len(members[group])
            _put(part, [group], members, parts)


def _leave_out(
    strata: Iterable[Sequence[str]],
    members: Mapping[str, list[int]],
    section: SplitSection,
    parts: list[str],
) -> None:
    """Leave out all but a share of each stratum's training groups, at least one of which stays.

    The order is the same for every share, so that smaller training parts lie within larger ones.
    """
    rng = np.random.default_rng([section.seed, 1])  # not the draws of the parts
    for groups in strata:
        trained = [group for group in groups if parts[members[group][0]] == "train"]
        order = [trained[position] for position in rng.permutation(len(trained))]
        _put(_UNUSED, order[max(round(section.train_share * len(order)), 1) :], members, parts)


def write_split(split: Split) -> str:
    """The split as CSV text: image, label, group, part, and subclass where there are any."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    divided = bool(split.dataset.subclasses)
    writer.writerow(("image", "label", "group", "part", *(("subclass",) if divided else ())))
    for sample, part in zip(split.dataset.samples, split.parts, strict=True):
        subclass = (sample.subclass,) if divided else ()
        writer.writerow((sample.image, sample.label, sample.group, part, *subclass))
    return buffer.getvalue()


def read_split(
    file: Path, root: Path, *, name: str, classes: Sequence[str], task: str = DEFAULT_TASK
) -> Split:
    """A split that `write_split` wrote, over the images below `root`.

    Raises:
        InputError: The file or the folder of the images is missing.
    """
    rows = read_table(file, ("image", "label", "group", "part"), verbatim=True)
    if not (root / rows[0]["image"]).is_file():
        message = f"the images of {name} are not at {root} any more"
        raise InputError(message, "give their folder with --data-root")
    samples = [
        Sample(row["image"], row["label"], row["group"], subclass=row.get("subclass", ""))
        for row in rows
    ]
    dataset = dataset_of(name, root, samples, classes=classes, task=task)
    return Split(dataset, tuple(row["part"] for row in rows))
