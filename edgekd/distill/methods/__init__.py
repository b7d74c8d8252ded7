"""Methods: one file each, found by name, third parties' through `edgekd.methods` entry points."""

from __future__ import annotations

import importlib
from importlib.metadata import entry_points
from typing import Any

from edgekd.distill.known_methods import GROUP, METHODS, method_name, method_names
from edgekd.distill.methods.base import (
    Batch,
    Labelled,
    Method,
    MethodContext,
    NoSamples,
    Player,
    Players,
    Stage,
    StepContext,
    Synthesised,
    SynthesisedBatch,
    Terms,
    Unlabelled,
    UnlabelledBatch,
)
from edgekd.recipe import Section, convert

__all__ = [
    "Batch",
    "Labelled",
    "Method",
    "MethodContext",
    "NoSamples",
    "Player",
    "Players",
    "Stage",
    "StepContext",
    "Synthesised",
    "SynthesisedBatch",
    "Terms",
    "Unlabelled",
    "UnlabelledBatch",
    "method_names",
    "resolve_method",
]


def resolve_method(section: dict[str, Any]) -> tuple[type[Method], Section]:
    """Class and validated config of a recipe's `method` section.

    Raises:
        InputError: The method is unknown, or one of its keys is wrong.
    """
    name = method_name(section)
    options = {key: value for key, value in section.items() if key != "name"}
    kind = _find(name)
    return kind, convert(options, kind.Config, f"method {name}")


def _find(name: str) -> type[Method]:
    if name in METHODS:
        module, attribute = METHODS[name].split(":")
        own: type[Method] = getattr(importlib.import_module(module), attribute)
        return own
    (point, *_) = entry_points(group=GROUP, name=name)
    foreign: type[Method] = point.load()
    return foreign
