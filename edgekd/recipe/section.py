"""The base of every part of a recipe: typed values, their validation, their hash."""

from __future__ import annotations

import difflib
import hashlib
import math
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta

from edgekd.errors import InputError

__all__ = [
    "Balance",
    "Balancing",
    "Fraction",
    "Positive",
    "Rate",
    "Section",
    "Seed",
    "convert",
    "fingerprint",
]

Positive = Annotated[int, Meta(ge=1)]
Fraction = Annotated[float, Meta(ge=0.0, lt=1.0)]
Rate = Annotated[float, Meta(gt=0.0)]
Seed = Annotated[int, Meta(ge=0, le=2**32 - 1)]
"""A seed in the range that NumPy accepts."""
Balance = Literal["none", "sqrt", "full"]
"""How strongly rare classes are raised: not at all, by the square root of imbalance, or fully."""
Balancing = Literal["none", "sqrt", "full", "effective"]
"""The same of softened outputs, or by the effective number of a class's images."""
T = TypeVar("T")


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every part of a recipe: immutable, by keyword, no unknown keys."""


def convert(raw: Any, kind: type[T], where: str) -> T:
    """Convert plain values to the struct `kind`.

    Raises:
        InputError: An unknown key (with the nearest right one), a missing key or a wrong value,
            such as one that is not finite.
    """
    _refuse_unknown_keys(raw, kind, where, "")
    try:
        # Not strict: YAML 1.1 reads 3e-3 as text.
        section = msgspec.convert(raw, kind, strict=False)
    except msgspec.ValidationError as error:
        text = re.sub(r" - at `\$\.?(.*?)`", r" (at \1)", str(error))
        text = re.sub(r" - at `key` in `\$\.?(.*?)`", r" (at a key of \1)", text)
        raise InputError(f"{where}: {text}", _remedy(text, kind)) from error
    try:
        plain = msgspec.to_builtins(section)
    except RecursionError:  # YAML's anchors make this possible
        raise InputError(f"{where}: a value holds itself", "correct the value") from None
    _refuse_infinite(plain, where)
    return section


def _refuse_infinite(value: Any, where: str, path: str = "") -> None:
    """Refuse infinities and NaN, with which training would end in NaN."""
    if isinstance(value, float) and not math.isfinite(value):
        message = f"{where}: {value} is not a finite number (at {path})"
        raise InputError(message, "correct the value")
    if isinstance(value, dict):
        for key, inner in value.items():
            _refuse_infinite(inner, where, f"{path}.{key}".removeprefix("."))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            _refuse_infinite(inner, where, f"{path}[{index}]")


def _remedy(text: str, kind: Any) -> str:
    """A hint for a wrong value: the possible ones, or YAML's interpretation of a plain word."""
    at = re.search(r"\(at (.*)\)$", text)
    if "Invalid enum value" in text and at and (names := _names_at(kind, at[1])):
        return f"write one of: {', '.join(names)}"
    if re.search(r"Expected `str[^`]*`, got `(bool|int|float|null|date|datetime|time)`", text):
        return (
            "put quotes around it: YAML takes no, yes, on, off, null, numbers and dates for "
            'something else than text, so write "no" and "0"'
        )
    if re.search(r"Expected `array[^`]*`, got `str`", text):
        return "write a list: [one, two]"
    return "correct the value"


def _names_at(kind: Any, path: str) -> list[str]:
    """The words that a key of a struct may be, in a path such as `teachers[0].fit.loss`."""
    for key in filter(None, re.split(r"[.\[\]]+", path)):
        if re.fullmatch(r"\d+|\.{3}", key):  # an item of a list
            kind = next(iter(get_args(kind)), None)
        elif (struct := _struct_of(kind)) is not None:
            types = {field.encode_name: field.type for field in msgspec.structs.fields(struct)}
            kind = types.get(key)
    return [str(word) for word in _literals(kind)]


def _literals(kind: Any) -> Iterator[Any]:
    """The values of a Literal, alone or among other types."""
    for inner in get_args(kind):
        if get_origin(kind) is Literal:
            yield inner
        else:
            yield from _literals(inner)


def fingerprint(*parts: Any) -> str:
    """Hex SHA-256 of plain values or structs, independent of the order of keys."""
    encoded = msgspec.json.encode(msgspec.to_builtins(parts), order="deterministic")
    return hashlib.sha256(encoded).hexdigest()


def _refuse_unknown_keys(raw: Any, kind: Any, where: str, path: str) -> None:
    """Refuse unknown keys and name the nearest known one, which msgspec's message lacks."""
    if not isinstance(raw, dict):
        return
    struct = _struct_of(kind)
    if struct is None:
        return
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(struct)}
    for key, value in raw.items():
        if key not in fields:
            near = difflib.get_close_matches(str(key), fields, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(fields)}"
            raise InputError(f"{where}: unknown key {f'{path}{key}'!r}", hint)
        _refuse_unknown_keys(value, fields[key], where, f"{path}{key}.")


def _struct_of(kind: Any) -> type[msgspec.Struct] | None:
    """The struct type of `kind`, or of `kind` without None."""
    candidates = (kind, *get_args(kind))
    structs = [c for c in candidates if isinstance(c, type) and issubclass(c, msgspec.Struct)]
    return structs[0] if structs else None
