"""The schema of a recipe: its own keys, those of each data source and of each method."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from edgekd.data.sources import AttributeSection, load_source
from edgekd.data.subclasses import LabelSection
from edgekd.data.unlabelled import UnlabelledKey
from edgekd.errors import EdgekdError
from edgekd.extensions.methods import METHODS
from edgekd.extensions.sources import SOURCES
from edgekd.recipe import Recipe
from edgekd.schemas.meanings import meanings_of, schema_with_meanings, summary_of

__all__ = ["recipe_schema"]


def recipe_schema() -> dict[str, Any]:
    """The schema of a recipe, with the sources and methods that load."""
    schema = schema_with_meanings(Recipe)
    definitions = schema["$defs"]
    keys = definitions["Recipe"]["properties"]
    shared: dict[str, Any] = {}
    for each in (LabelSection, AttributeSection, UnlabelledKey):
        shared |= _keys(definitions, each)
    sources = _loadable(SOURCES.names(), lambda name: load_source(name).Config)
    keys["data"] = _choice(definitions, "source", sources, shared) | {
        "description": meanings_of(Recipe)["data"]
    }
    methods = _loadable(METHODS.names(), lambda name: METHODS.load(name).Config)
    keys["method"] = _choice(definitions, "name", methods, {}) | {
        "description": meanings_of(Recipe)["method"]
    }
    return schema


def _loadable(names: Iterable[str], config_of: Any) -> dict[str, type[msgspec.Struct]]:
    """The config of each extension that loads; `edgekd doctor` reports the others."""
    configs = {}
    for name in names:
        try:
            configs[name] = config_of(name)
        except EdgekdError:
            continue
    return configs


def _choice(
    definitions: dict[str, Any],
    key: str,
    configs: dict[str, type[msgspec.Struct]],
    shared: dict[str, Any],
) -> dict[str, Any]:
    """A section whose keys depend on the value of one of them."""
    options = []
    for name, config in configs.items():
        required = [f.encode_name for f in msgspec.structs.fields(config) if f.required]
        options.append({
            "type": "object",
            "description": summary_of(config),
            "properties": {key: {"const": name}, **_keys(definitions, config), **shared},
            "required": [key, *required],
            "additionalProperties": False,
        })  # fmt: skip
    return {"oneOf": options}


def _keys(definitions: dict[str, Any], struct: type[msgspec.Struct]) -> dict[str, Any]:
    """The properties of a struct; structs within it are added to the definitions."""
    schema = schema_with_meanings(struct)
    parts = schema["$defs"]
    properties: dict[str, Any] = parts.pop(struct.__name__)["properties"]
    definitions |= parts
    return properties
