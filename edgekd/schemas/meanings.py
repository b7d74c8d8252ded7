"""The schema of a struct, with the meaning of each key from the docstrings of its types."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect as types

__all__ = ["meanings_of", "schema_with_meanings", "summary_of"]


def schema_with_meanings(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """The JSON Schema of a struct and of all structs in it."""
    schema = msgspec.json.schema(struct)
    structs = {each.__name__: each for each in _structs(types.type_info(struct))}
    for name, part in schema["$defs"].items():
        part["description"] = summary_of(structs[name])
        meanings = meanings_of(structs[name])
        for key, value in part.get("properties", {}).items():
            if key in meanings:
                value["description"] = meanings[key]
    return schema


def summary_of(kind: type) -> str:
    """The first paragraph of a docstring, in one line."""
    return " ".join(inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0].split())


def meanings_of(kind: type) -> dict[str, str]:
    """The meaning of each attribute, by the docstrings of a type and of those that it extends."""
    meanings: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        meanings |= dict(_entries(inspect.cleandoc(vars(base).get("__doc__") or "")))
    return meanings


def _entries(docstring: str) -> Iterator[tuple[str, str]]:
    """Name and meaning of each entry below `Attributes:`."""
    _, heading, section = docstring.partition("\nAttributes:\n")
    section = re.split(r"\n(?=\S)", section)[0]  # up to the next heading
    for entry in re.split(r"\n(?=    \w+:)", f"\n{section}") if heading else ():
        name, colon, text = entry.strip().partition(":")
        if colon:
            yield name, " ".join(text.split())


def _structs(info: Any) -> Iterator[type[msgspec.Struct]]:
    """The structs in a type, each once."""
    seen: set[type] = set()
    pending = [info]
    while pending:
        part = pending.pop()
        if isinstance(part, types.StructType):
            if part.cls in seen:
                continue
            seen.add(part.cls)
            yield part.cls
        pending.extend(_parts(part))


def _parts(info: Any) -> Iterator[Any]:
    """The types within a type."""
    for name in getattr(info, "__struct_fields__", ()):
        value = getattr(info, name)
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, types.Type | types.Field):
                yield each
