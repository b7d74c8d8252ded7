"""The search space: which keys of a recipe may take which values, as a YAML file.

image_size: {choice: [48, 64]}
student.fit.learning_rate: {low: 1.0e-3, high: 1.0e-2, log: true}
student.model.options.channels: {width: [16, 32, 64, 128], factors: [0.5, 0.75, 1.0]}
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from edgekd.errors import InputError
from edgekd.recipe import Recipe, Section, convert
from edgekd.recipe.files import parse_yaml
from edgekd.resources import space_file, space_names

__all__ = ["Choice", "Domain", "Range", "Space", "Width", "load_space", "space_of", "value_at"]

Scalar = bool | int | float | str
"""A value of a parameter as the study stores it."""

TUNABLE = ("image_size", "augment", "method", "student")
"""Sections whose keys may be searched."""

_SHARED = (
    "every trial must see the same images, split, teacher and seed, or their scores cannot be "
    "compared"
)
_ROUNDING = 1e-9


class Choice(Section, frozen=True, kw_only=True):
    """One of several values.

    Attributes:
        choice: The values: numbers, words, or lists.
    """

    choice: tuple[Any, ...]

    def __post_init__(self) -> None:
        """Refuse a choice that is none."""
        if len(set(map(_text, self.choice))) < max(2, len(self.choice)):
            raise ValueError("a choice needs two different values at least, each once")

    @property
    def options(self) -> dict[Scalar, Any]:
        """Values of the recipe by what the study stores: lists are stored as text."""
        return {v if isinstance(v, Scalar) else _text(v): v for v in self.choice}

    def stored(self, value: Any) -> Scalar | None:
        """What the study stores for a value of the recipe; None for one outside of the domain."""
        return next((key for key, v in self.options.items() if _text(v) == _text(value)), None)

    def extremes(self) -> Sequence[Any]:
        """Values that stand for the domain in checks."""
        return self.choice


class Width(Section, frozen=True, kw_only=True):
    """Widths of an architecture, all scaled by one factor.

    Attributes:
        width: The widths at factor 1: one, or one for each part of the network.
        factors: The factors.
        multiple: Scaled widths are rounded to a multiple of this, and are no less.
    """

    width: tuple[int, ...] | int
    factors: tuple[float, ...]
    multiple: int = 4

    def __post_init__(self) -> None:
        """Refuse widths and factors that are not positive, and factors of the same widths."""
        if min((*self._base(), self.multiple, *self.factors)) <= 0:
            raise ValueError("widths, factors and multiple must be positive")
        if len({_text(self.scaled(factor)) for factor in self.factors}) < max(2, len(self.factors)):
            raise ValueError("the factors must give two different widths at least, each once")

    @property
    def options(self) -> dict[Scalar, Any]:
        """Widths by factor."""
        return {factor: self.scaled(factor) for factor in self.factors}

    def scaled(self, factor: float) -> list[int] | int:
        """The widths at a factor."""
        widths = [self._rounded(width * factor) for width in self._base()]
        return widths[0] if isinstance(self.width, int) else widths

    def stored(self, value: Any) -> Scalar | None:
        """The factor that gives these widths; None where none does."""
        return next((key for key, v in self.options.items() if _text(v) == _text(value)), None)

    def extremes(self) -> Sequence[Any]:
        """Values that stand for the domain in checks."""
        return list(self.options.values())

    def _base(self) -> tuple[int, ...]:
        return (self.width,) if isinstance(self.width, int) else self.width

    def _rounded(self, width: float) -> int:
        return max(self.multiple, int(width / self.multiple + 0.5) * self.multiple)


class Range(Section, frozen=True, kw_only=True):
    """Numbers between two bounds, both included.

    Attributes:
        low: Lower bound.
        high: Upper bound. With two whole numbers as bounds all values are whole.
        log: Whether to search on a logarithmic scale.
        step: Distance between the values; None searches all numbers, or all whole numbers.
    """

    low: int | float
    high: int | float
    log: bool = False
    step: int | float | None = None

    def __post_init__(self) -> None:
        """Refuse an empty range."""
        if not self.low < self.high:
            raise ValueError("low must be less than high")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("log needs a positive low, and takes no step")
        if self.step is not None and not 0 < self.step <= self.high - self.low:
            raise ValueError("step must be positive, and no more than high − low")
        if self.step is not None and self.is_whole and not isinstance(self.step, int):
            raise ValueError("whole numbers need a whole step")

    @property
    def is_whole(self) -> bool:
        """Whether all values are whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def stored(self, value: Any) -> Scalar | None:
        """The value itself; None for one outside of the range."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        if not self.low <= value <= self.high or (self.is_whole and value != int(value)):
            return None
        if self.step is not None:
            steps = (value - self.low) / self.step
            if not math.isclose(steps, round(steps), abs_tol=_ROUNDING):
                return None
        return int(value) if self.is_whole else float(value)

    def extremes(self) -> Sequence[Any]:
        """Values that stand for the domain in checks."""
        return self.low, self.high


Domain = Choice | Range | Width


@dataclass(frozen=True)
class Space:
    """The domains of the searched keys.

    Attributes:
        domains: By dotted key of the recipe.
    """

    domains: Mapping[str, Domain]

    def plain(self) -> dict[str, Any]:
        """The space as in its file."""
        plain: dict[str, Any] = msgspec.to_builtins(dict(self.domains))
        return plain

    def values_of(self, stored: Mapping[str, Any]) -> dict[str, Any]:
        """Values of the recipe's keys, from what the study stores."""
        return {
            key: domain.options[stored[key]] if not isinstance(domain, Range) else stored[key]
            for key, domain in self.domains.items()
        }

    def point_of(self, recipe: Mapping[str, Any]) -> dict[str, Scalar] | None:
        """What the study stores for a recipe; None for one outside of the space."""
        point: dict[str, Scalar] = {}
        for key, domain in self.domains.items():
            stored = domain.stored(value_at(recipe, key))
            if stored is None:
                return None
            point[key] = stored
        return point

    def single_changes(self) -> Iterator[dict[str, Any]]:
        """Each extreme value of each key alone, for checks."""
        for key, domain in self.domains.items():
            yield from ({key: value} for value in domain.extremes())


def load_space(name: str, recipe: Recipe) -> Space:
    """Read a search space for a recipe.

    Args:
        name: Path of a YAML file, or the name of a space that edgekd ships.
        recipe: The recipe whose keys it names.

    Raises:
        InputError: There is no such file, it is not YAML, a key is unknown (the nearest right one
            is named) or cannot be searched, or a domain or one of its values is wrong.
    """
    path = Path(name)
    if not path.is_file():
        path = space_file(name) or path
    if not path.is_file():
        message = f"there is no search space {name!r}"
        raise InputError(message, f"give a YAML file, or one of: {', '.join(space_names())}")
    return space_of(parse_yaml(path.read_bytes(), str(path)), recipe, f"the space {path}")


def space_of(raw: Any, recipe: Recipe, where: str) -> Space:
    """The space of plain values; see `load_space` for the errors."""
    if not isinstance(raw, dict) or not raw:
        hint = "write e.g. `student.fit.learning_rate: {low: 1.0e-3, high: 1.0e-2, log: true}`"
        raise InputError(f"{where} is not a mapping of keys", hint)
    domains = {}
    for key, domain in raw.items():
        _refuse_key(str(key), where)
        domains[str(key)] = _domain(domain, f"{where}, {key}")
    space = Space(domains)
    for change in space.single_changes():
        changed(recipe, change, where)
    return space


def changed(recipe: Recipe, values: Mapping[str, Any], where: str) -> Recipe:
    """A recipe with other values at dotted keys.

    Raises:
        InputError: A key or a value is wrong.
    """
    plain = msgspec.to_builtins(recipe)
    for key, value in values.items():
        *sections, last = key.split(".")
        place = plain
        for section in sections:
            if not isinstance(place.get(section), dict):
                place[section] = {}
            place = place[section]
        place[last] = value
    return convert(plain, Recipe, where)


def value_at(recipe: Mapping[str, Any], key: str) -> Any:
    """The value at a dotted key of a plain recipe; None where there is none."""
    value: Any = recipe
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _refuse_key(key: str, where: str) -> None:
    """Refuse a key of a section that all trials share, or that there is not."""
    section = key.split(".")[0]
    sections = [field.encode_name for field in msgspec.structs.fields(Recipe)]
    if section not in sections:
        near = difflib.get_close_matches(section, TUNABLE, n=1) or TUNABLE
        message = f"{where}: unknown key {key!r}"
        raise InputError(message, f"did you mean {' or '.join(map(repr, near))}?")
    if section not in TUNABLE or key in ("method", "method.name", "student.checkpoint"):
        message = f"{where}: {key!r} cannot be searched: {_SHARED}"
        if key.startswith(("method", "student")):
            message = f"{where}: {key!r} cannot be searched"
        raise InputError(message, f"search keys of: {', '.join(TUNABLE)}")


def _domain(raw: Any, where: str) -> Domain:
    kinds: dict[str, type[Domain]] = {"choice": Choice, "width": Width, "low": Range}
    keys = raw.keys() if isinstance(raw, dict) else ()
    kind = next((kinds[name] for name in kinds if name in keys), None)
    if kind is None:
        hint = (
            "write {choice: […]}, {low: …, high: …, log: true, step: …} or "
            "{width: […], factors: […]}"
        )
        raise InputError(f"{where}: this is no domain", hint)
    domain: Domain = convert(raw, kind, where)
    return domain


def _text(value: Any) -> str:
    """A value as canonical text, in which 1 and 1.0 are equal."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_text, value))}]"
    return msgspec.json.encode(value).decode()
