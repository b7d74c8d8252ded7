"""Bootstrap samples of images, or of the lesions or patients that they belong to.

Images of one lesion have much in common, so lesions are drawn rather than images: each brings all
of its images along (the cluster bootstrap; Davison, Hinkley 1997, section 3.8). Groups are
drawn within each class, so that no class disappears. A patient whose images are of several classes
is drawn with the class of fewest images.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekd.errors import InputError
from edgekd.metrics.classification import Floats, Integers

__all__ = ["Groups", "counts", "enough", "group_codes", "groups_by_class"]

_BLOCK_CELLS = 2_000_000  # resamples by images held at once: 16 MB

Groups = ArrayLike | None
"""The lesion or patient of each image [N], by any name; None where every image is independent."""


def group_codes(groups: Groups, n: int) -> Integers:
    """A number from 0 on for the group of each of `n` images, in order of first occurrence.

    Raises:
        InputError: There are not as many groups as images.
    """
    if groups is None:
        return np.arange(n)
    names = np.asarray(groups)
    if names.shape != (n,):
        message = f"groups of shape {names.shape} are not of {n} images"
        raise InputError(message, "give one group for each image")
    _, first, inverse = np.unique(names, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def groups_by_class(labels: Integers, codes: Integers, size: int) -> Integers:
    """Number of groups that show each of the `size` classes [size]."""
    shown = np.unique(np.stack([labels, codes]), axis=1)[0] if labels.size else labels
    return np.bincount(shown, minlength=size)


def enough(labels: Integers, groups: Groups = None) -> bool:
    """Whether every class that occurs has at least two groups, since one would never vary."""
    if not labels.size:
        return False
    by_class = groups_by_class(labels, group_codes(groups, labels.size), int(labels.max()) + 1)
    return bool(by_class[np.unique(labels)].min() >= 2)


def counts(labels: Integers, resamples: int, seed: int, groups: Groups = None) -> Iterator[Floats]:
    """How often each image is drawn, in blocks [b, N]; stratified by class.

    A sample that lacks a class, which is possible only with patients of several classes, is drawn
    again.
    """
    generator = np.random.default_rng(seed)
    plan = _plan(labels, group_codes(groups, labels.size))
    height = max(1, min(resamples, _BLOCK_CELLS // labels.size))
    for start in range(0, resamples, height):
        block = _draw_groups(generator, min(height, resamples - start), plan)
        while plan.mixed and (incomplete := _without_some_class(block, labels)).any():
            block[incomplete] = _draw_groups(generator, int(incomplete.sum()), plan)
        yield block


class _Plan(NamedTuple):
    """The groups and strata to draw from.

    Attributes:
        codes: The group of each image [N].
        strata: The groups of each stratum.
        mixed: Whether some group shows several classes.
    """

    codes: Integers
    strata: list[Integers]
    mixed: bool


def _plan(labels: Integers, codes: Integers) -> _Plan:
    support = np.bincount(labels)
    order = np.lexsort((labels, support[labels], codes))  # rarest class of each group first
    groups, first = np.unique(codes[order], return_index=True)
    stratum = labels[order][first]
    strata = [groups[stratum == one] for one in np.unique(stratum)]
    pairs = int(groups_by_class(labels, codes, support.size).sum())
    return _Plan(codes, strata, pairs > groups.size)


def _draw_groups(generator: np.random.Generator, rows: int, plan: _Plan) -> Floats:
    drawn = np.empty((rows, int(plan.codes.max()) + 1))
    for members in plan.strata:
        drawn[:, members] = _draw(generator, rows, members.size)
    return drawn[:, plan.codes]


def _draw(generator: np.random.Generator, rows: int, n: int) -> Integers:
    """Counts [rows, n] of n draws with replacement from n units."""
    drawn = generator.integers(0, n, size=(rows, n))
    drawn += np.arange(rows)[:, None] * n
    return np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.int64)


def _without_some_class(block: Floats, labels: Integers) -> NDArray[np.bool_]:
    """Which samples lack a class [rows]."""
    shown = np.stack([block[:, labels == one].any(axis=1) for one in np.unique(labels)])
    return np.asarray(~shown.all(axis=0))
