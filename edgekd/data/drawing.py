"""Drawing parts: by group, stratified by label, under a seed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from edgekd.data.dataset import Dataset
from edgekd.data.part_names import UNUSED
from edgekd.errors import InputError
from edgekd.recipe import SplitSection

__all__ = ["draw_parts", "leave_out"]


def draw_parts(
    dataset: Dataset,
    indices: Sequence[int],
    section: SplitSection,
    absent: Collection[str] = ("test", "validation"),
) -> dict[int, str]:
    """The part of each sample: within each stratum, shuffled groups fill test, then validation.

    The strata are those of the task (its classes), divided by subclass where there are subclasses:
    a part must not lack the rare ones. A group whose images are of several strata counts for the
    most frequent one. A stratum of three groups or more gets at least one group into every part
    with a share. With `folds`, the groups of each stratum are dealt evenly to the folds, whichever
    of them is the test part.

    Args:
        dataset: The data set.
        indices: The samples to divide; all of a group or none.
        section: The recipe's section.
        absent: Parts to draw; the others have no share.

    Raises:
        InputError: Validation and test leave nothing to train on.
    """
    shares = {"test": 0.0 if section.folds else section.test, "validation": section.validation}
    shares = {part: share if part in absent else 0.0 for part, share in shares.items()}
    if sum(shares.values()) >= 0.95:
        message = "split.validation and split.test leave too little to train on"
        raise InputError(message, "let their sum be below 0.95")
    members = _members(dataset, indices)
    parts = dict.fromkeys(indices, "train")
    rng = np.random.default_rng(section.seed)
    filled = [0] * section.folds
    for groups in _groups_by_stratum(dataset, members).values():
        order = [groups[position] for position in rng.permutation(len(groups))]
        if section.folds:
            tested = _fold(order, members, filled, section.fold)
            order = [group for group in order if group not in tested]
            _put("test", tested, members, parts)
        _deal(order, members, shares, parts)
    return parts


def leave_out(dataset: Dataset, parts: dict[int, str], section: SplitSection) -> None:
    """Leave out all but `train_share` of each stratum's training groups, at least one stays.

    The order is the same for every share, so that smaller training parts lie within larger ones.
    """
    if section.train_share == 1.0:
        return
    members = _members(dataset, range(len(dataset.samples)))
    rng = np.random.default_rng([section.seed, 1])  # not the draws of the parts
    for groups in _groups_by_stratum(dataset, members).values():
        trained = [group for group in groups if parts[members[group][0]] == "train"]
        order = [trained[position] for position in rng.permutation(len(trained))]
        _put(UNUSED, order[max(round(section.train_share * len(order)), 1) :], members, parts)


def _members(dataset: Dataset, indices: Iterable[int]) -> dict[str, list[int]]:
    """The samples of each group, in the order of the data set."""
    members: dict[str, list[int]] = defaultdict(list)
    for index in indices:
        members[dataset.samples[index].group].append(index)
    return members


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
    part: str, groups: Iterable[str], members: Mapping[str, list[int]], parts: dict[int, str]
) -> None:
    for group in groups:
        for index in members[group]:
            parts[index] = part


def _deal(
    groups: Sequence[str],
    members: Mapping[str, list[int]],
    shares: Mapping[str, float],
    parts: dict[int, str],
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
