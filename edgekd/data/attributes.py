"""Attributes: facts of patients and images by which results are compared, such as age and sex.

They are kept with each sample and in `split.csv`. Training does not use them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from edgekd.data.dataset import Dataset
from edgekd.data.text import alike, clean, is_blank, near_name
from edgekd.errors import InputError

__all__ = ["UNKNOWN", "AttributeRules", "attributed", "binned", "ranges_of"]

UNKNOWN = "unknown"
"""The value of a sample whose cell is blank or says that it is not known."""

AttributeRules = Sequence[str] | Mapping[str, Sequence[float]]
"""Names of columns; or of each the numbers that divide its values, empty for the rule."""

_MOST_PLAIN = 8
"""Most different numbers that are kept as they are: grades and skin types rather than measures."""
_MOST_RANGES = 5
_STEPS = (1.0, 2.0, 5.0)
_MANY = 30


def attributed(dataset: Dataset, rules: AttributeRules, *, required: bool = True) -> Dataset:
    """The data set with attributes of its samples, from columns of its table.

    Args:
        dataset: The data set.
        rules: Its columns.
        required: Whether it is an error if the table lacks a column.

    Raises:
        InputError: The table lacks a column.
    """
    edges = rules if isinstance(rules, Mapping) else dict.fromkeys(rules, ())
    known = list(dict.fromkeys(name for one in dataset.samples for name in one.columns))
    columns = {}
    for column, bounds in edges.items():
        name = clean(column)
        if name in known:
            cells = [sample.columns.get(name, "") for sample in dataset.samples]
            columns[name] = binned(cells, bounds)
        elif required:
            message = f"the data set {dataset.name} has no column {name!r} (at data.attributes)"
            raise InputError(
                message, f"{near_name(name, known)}known: {', '.join(known) or 'none'}"
            )
    samples = tuple(
        replace(sample, attributes={name: values[i] for name, values in columns.items()})
        for i, sample in enumerate(dataset.samples)
    )
    many = [name for name, values in columns.items() if len(set(values)) > _MANY]
    notes = [f"the attribute {name!r} has {len(set(columns[name]))} values" for name in many]
    return replace(dataset, samples=samples, notes=(*dataset.notes, *notes))


def binned(cells: Sequence[str], edges: Sequence[float] = ()) -> list[str]:
    """The value of each cell: numbers as ranges, spellings of one word as the first of them.

    Numbers are divided at `edges`; without any, more than eight different numbers are divided into
    five ranges of one round width at most.
    """
    numbers = [_number(cell) for cell in cells]
    measured = [number for number in numbers if number is not None]
    if measured and all(n is not None or is_blank(c) for c, n in zip(cells, numbers, strict=True)):
        if not edges and len(set(measured)) > _MOST_PLAIN:
            edges = ranges_of(measured)
        whole = all(number % 1 == 0 for number in (*measured, *edges))
        return [_range(number, edges, whole) for number in numbers]
    first: dict[str, str] = {}
    return [
        UNKNOWN if is_blank(cell) else first.setdefault(alike(cell), clean(cell)) for cell in cells
    ]


def ranges_of(numbers: Sequence[float]) -> list[float]:
    """Edges of at most five ranges over the numbers, of the smallest width 1, 2 or 5 times 10ⁿ."""
    low, high = min(numbers), max(numbers)
    exponent = -12
    while True:
        for step in _STEPS:
            width = step * 10.0**exponent
            if high // width - low // width < _MOST_RANGES:
                first = int(low // width)
                count = int(high // width) - first
                return [round((first + 1 + n) * width, 12) for n in range(count)]
        exponent += 1


def _range(number: float | None, edges: Sequence[float], whole: bool) -> str:
    if number is None:
        return UNKNOWN
    if not edges:
        return _written(number)
    below = [edge for edge in sorted(edges) if edge <= number]
    above = [edge for edge in sorted(edges) if edge > number]
    if not below:
        return f"below {_written(above[0])}"
    if not above:
        return f"{_written(below[-1])} and more"
    end = _written(above[0] - 1) if whole else f"below {_written(above[0])}"
    return f"{_written(below[-1])} to {end}"


def _written(number: float) -> str:
    return f"{number:.10g}"


def _number(cell: str) -> float | None:
    try:
        number = float(clean(cell).replace(",", "."))
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None
