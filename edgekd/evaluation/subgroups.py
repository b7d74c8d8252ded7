"""Subgroups of the images by columns of their table: numbers in bins, missing values apart."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edgekd.data.text import alike, clean, is_blank
from edgekd.errors import InputError

__all__ = ["MISSING", "Attribute", "AttributeRequest", "attribute_of", "requested_attributes"]

MISSING = "not known"
"""Name of the subgroup of images whose cell is blank, or a word for unknown."""

_MOST_SUBGROUPS = 40
_MOST_BINS = 6
_STEPS = (1, 2, 5, 10)


@dataclass(frozen=True)
class AttributeRequest:
    """A column to divide the images by.

    Attributes:
        column: The column.
        cuts: Numbers at which bins begin; empty leaves them to the rule of `attribute_of`.
    """

    column: str
    cuts: tuple[float, ...] = ()


@dataclass(frozen=True)
class Attribute:
    """The subgroup of each image by one column.

    Attributes:
        name: The column.
        rule: How its values became subgroups, in words.
        subgroups: Names of the subgroups, those of missing values last.
        codes: Position of each image's subgroup [N].
    """

    name: str
    rule: str
    subgroups: tuple[str, ...]
    codes: NDArray[np.int64]

    def members(self, subgroup: int) -> NDArray[np.bool_]:
        """Whether each image is of a subgroup [N]."""
        return np.asarray(self.codes == subgroup)

    def name_of(self, image: int) -> str:
        """The subgroup of an image."""
        return self.subgroups[int(self.codes[image])]


def requested_attributes(text: str | None) -> list[AttributeRequest]:
    """The columns of `sex,age:40:60,localization`; numbers after a colon are cuts.

    Raises:
        InputError: A column is named twice, or cuts do not rise.
    """
    requests: list[AttributeRequest] = []
    for part in filter(None, (clean(part) for part in (text or "").split(","))):
        column, *numbers = part.split(":")
        cuts = [_number(number) for number in numbers]
        if None in cuts:
            request = AttributeRequest(part)  # a column whose name has a colon
        else:
            request = AttributeRequest(clean(column), tuple(cut for cut in cuts if cut is not None))
        _refuse(request, [each.column for each in requests])
        requests.append(request)
    return requests


def _refuse(request: AttributeRequest, known: Sequence[str]) -> None:
    if request.column in known:
        raise InputError(f"--by names {request.column!r} twice", "name each column once")
    if list(request.cuts) != sorted(set(request.cuts)):
        message = f"the cuts of {request.column!r} do not rise"
        raise InputError(message, "write them from low to high, as in age:40:60")


def attribute_of(request: AttributeRequest, cells: Sequence[str]) -> Attribute:
    """Divide the images by a column.

    A column whose known cells are all numbers, of more than six values, is divided in at most six
    bins of one width, which is 1, 2 or 5 times a power of ten, or at the cuts requested. Other
    cells are subgroups as they are written; spellings that differ in case or separators are one.
    Blank cells and words for unknown are a subgroup of their own.

    Args:
        request: The column.
        cells: Its cell for each image [N].

    Raises:
        InputError: There are more than 40 subgroups, or cuts in a column that has no numbers.
    """
    blank = [is_blank(cell) for cell in cells]
    known = [cell for cell, missing in zip(cells, blank, strict=True) if not missing]
    numbers = [_number(cell) for cell in known]
    numeric = bool(known) and None not in numbers
    if request.cuts and not numeric:
        message = f"the column {request.column!r} cannot be cut: not all of its cells are numbers"
        raise InputError(message, "name it without cuts, or correct the cells")
    if numeric and (request.cuts or len(set(numbers)) > _MOST_BINS):
        values = [value for value in numbers if value is not None]
        rule, names, codes = _bins(values, request.cuts)
    else:
        rule, names, codes = _spellings(request.column, known)
    return _attribute(request.column, rule, names, codes, blank)


def _attribute(
    column: str, rule: str, names: Sequence[str], codes: Sequence[int], blank: Sequence[bool]
) -> Attribute:
    """The attribute, with a subgroup for missing values behind the others if there are any."""
    every = np.full(len(blank), len(names), np.int64)
    every[~np.array(blank, np.bool_)] = codes
    if any(blank):
        names = [*names, MISSING]
    return Attribute(column, rule, tuple(names), every)


def _spellings(column: str, cells: Sequence[str]) -> tuple[str, list[str], list[int]]:
    """Subgroups of texts: each in its most frequent spelling, sorted, numbers by their size."""
    spellings: dict[str, Counter[str]] = {}
    for cell in cells:
        spellings.setdefault(alike(cell), Counter())[clean(cell)] += 1
    if len(spellings) > _MOST_SUBGROUPS:
        message = f"the column {column!r} has {len(spellings)} different values"
        raise InputError(message, f"divide by a column of at most {_MOST_SUBGROUPS}")
    names = {key: counts.most_common(1)[0][0] for key, counts in spellings.items()}
    order = sorted(names, key=lambda key: (_number(names[key]) or 0.0, names[key].casefold()))
    position = {key: index for index, key in enumerate(order)}
    return "as written", [names[key] for key in order], [position[alike(cell)] for cell in cells]


def _bins(values: Sequence[float], cuts: tuple[float, ...]) -> tuple[str, list[str], list[int]]:
    """Rule, names and codes of bins; each has its lower bound inside."""
    whole = all(value == int(value) for value in values)
    if cuts:
        edges, rule = list(cuts), f"cut at {', '.join(f'{cut:g}' for cut in cuts)}, as requested"
        codes = np.digitize(values, edges)
        names = [f"under {cuts[0]:g}", *_between(edges, whole), f"{cuts[-1]:g} and over"]
    else:
        width = _width(min(values), max(values))
        first, last = _step(min(values), width), _step(max(values), width)
        edges = [round(width * step, 10) for step in range(first, last + 2)]
        rule = f"numbers in steps of {width:g}, each from its lower bound on"
        codes = np.digitize(values, edges[1:-1])
        names = _between(edges, whole)
    occurring = sorted(set(codes.tolist()))
    renumbered = {code: index for index, code in enumerate(occurring)}
    return rule, [names[code] for code in occurring], [renumbered[c] for c in codes.tolist()]


def _between(edges: Sequence[float], whole: bool) -> list[str]:
    """Names of the bins between edges: 20–39 of whole numbers, else `0.2 to under 0.4`."""
    pairs = list(pairwise(edges))
    if whole and all(edge == int(edge) for edge in edges):
        return [_whole_range(int(low), int(high) - 1) for low, high in pairs]
    return [f"{low:g} to under {high:g}" for low, high in pairs]


def _whole_range(low: int, high: int) -> str:
    return f"{low}" if low == high else f"{low}\N{EN DASH}{high}"


def _width(low: float, high: float) -> float:
    """The least round width that gives at most six bins."""
    power = 10.0 ** math.floor(math.log10((high - low) / _MOST_BINS))
    widths = (power * step * scale for scale in (1, 10) for step in _STEPS)
    return next(width for width in widths if _step(high, width) - _step(low, width) < _MOST_BINS)


def _step(value: float, width: float) -> int:
    """Number of the bin of a value; rounding must not put 0.6 below three steps of 0.2."""
    return math.floor(round(value / width, 9))


def _number(text: str) -> float | None:
    try:
        value = float(clean(text).replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
