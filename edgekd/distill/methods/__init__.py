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
from edgekd.distill.task import Trait, training_task
from edgekd.errors import InputError
from edgekd.extensions.tasks import DEFAULT_TASK
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


def resolve_method(
    section: dict[str, Any], task: str = DEFAULT_TASK
) -> tuple[type[Method], Section]:
    """Class and validated config of a recipe's `method` section.

    Args:
        section: `name`, and the method's own keys.
        task: Name of the task that the method is to serve.

    Raises:
        InputError: The method is unknown, one of its keys is wrong, or it does not serve the task.
    """
    name = method_name(section)
    options = {key: value for key, value in section.items() if key != "name"}
    kind = _find(name)
    _refuse_task(kind, task)
    return kind, convert(options, kind.Config, f"method {name}")


def _refuse_task(kind: type[Method], task: str) -> None:
    """Refuse a method that needs what the task does not have."""
    traits = training_task(task).traits
    missing = next((trait for trait in Trait if trait in kind.requires - traits), None)
    if missing is not None:
        message = f"the method {kind.name} does not serve the task {task}: it needs {missing.value}"
        serving = [name for name in METHODS if _find(name).requires <= traits]
        raise InputError(message, f"set `method.name` to one of: {', '.join(serving)}")


def _find(name: str) -> type[Method]:
    if name in METHODS:
        module, attribute = METHODS[name].split(":")
        own: type[Method] = getattr(importlib.import_module(module), attribute)
        return own
    (point, *_) = entry_points(group=GROUP, name=name)
    foreign: type[Method] = point.load()
    return foreign
