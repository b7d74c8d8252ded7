"""Methods of distillation, one file each; which there are is in `edgekd.extensions.methods`."""

from __future__ import annotations

from typing import Any

from edgekd.distill.methods.base import Batch, Method, MethodContext, Stage, Terms
from edgekd.extensions.methods import METHODS, method_name
from edgekd.recipe import Section, convert

__all__ = [
    "Batch",
    "Method",
    "MethodContext",
    "Stage",
    "Terms",
    "load_method",
    "method_names",
    "resolve_method",
]


def method_names() -> list[str]:
    """Names of all methods, edgekd's own first."""
    return METHODS.names()


def resolve_method(section: dict[str, Any]) -> tuple[type[Method], Section]:
    """Class and validated config of a recipe's `method` section.

    Raises:
        InputError: The method is unknown, or one of its keys is wrong.
        MissingDependencyError, ArtefactError: A third party's cannot be loaded.
    """
    name = method_name(section)
    options = {key: value for key, value in section.items() if key != "name"}
    method = load_method(name)
    return method, convert(options, method.Config, f"method {name}")


def load_method(name: str) -> type[Method]:
    """The class of a method.

    Raises:
        InputError: There is no method of that name.
        MissingDependencyError, ArtefactError: A third party's cannot be loaded.
    """
    method: type[Method] = METHODS.load(name, lambda loaded: issubclass(loaded, Method))
    return method
