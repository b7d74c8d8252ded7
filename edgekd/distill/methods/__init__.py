"""Methods of distillation, one file each; they are registered in `edgekd.extensions.methods`."""

from __future__ import annotations

from typing import Any

from edgekd.distill.methods.base import (
    Batch,
    Labelled,
    Method,
    MethodContext,
    NoSamples,
    Player,
    Players,
    Redrawn,
    Several,
    Stage,
    StepContext,
    Synthesised,
    SynthesisedBatch,
    Terms,
    Unlabelled,
    UnlabelledBatch,
    UnlabelledPool,
)
from edgekd.distill.task import Trait, training_task
from edgekd.errors import InputError
from edgekd.extensions.methods import METHODS, method_name
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
    "Redrawn",
    "Several",
    "Stage",
    "StepContext",
    "Synthesised",
    "SynthesisedBatch",
    "Terms",
    "Unlabelled",
    "UnlabelledBatch",
    "UnlabelledPool",
    "load_method",
    "method_names",
    "resolve_method",
]


def method_names() -> list[str]:
    """Names of all methods, edgekd's own first."""
    return METHODS.names()


def resolve_method(
    section: dict[str, Any], task: str = DEFAULT_TASK
) -> tuple[type[Method], Section]:
    """Class and validated config of a recipe's `method` section.

    Args:
        section: `name`, and the method's own keys.
        task: Name of the task that the method is to serve.

    Raises:
        InputError: The method is unknown, one of its keys is wrong, or it does not serve the task.
        MissingDependencyError, ArtefactError: A third party's method cannot be loaded.
    """
    name = method_name(section)
    options = {key: value for key, value in section.items() if key != "name"}
    method = load_method(name)
    _refuse_task(method, task)
    config = convert(options, method.Config, f"method {name}")
    specialised = method.specialised(config)
    _refuse_task(specialised, task)
    return specialised, config


def load_method(name: str) -> type[Method]:
    """The class of a method.

    Raises:
        InputError: There is no method of that name.
        MissingDependencyError, ArtefactError: A third party's method cannot be loaded.
    """
    method: type[Method] = METHODS.load(name, lambda loaded: issubclass(loaded, Method))
    return method


def _refuse_task(method: type[Method], task: str) -> None:
    """Refuse a method that needs what the task does not have."""
    traits = training_task(task).traits
    missing = next((trait for trait in Trait if trait in method.requires - traits), None)
    if missing is not None:
        problem = f"the method {method.name} does not serve the task {task}"
        serving = [name for name in METHODS.built_in if load_method(name).requires <= traits]
        hint = f"set `method.name` to one of: {', '.join(serving)}"
        raise InputError(f"{problem}: it needs {missing.value}", hint)
