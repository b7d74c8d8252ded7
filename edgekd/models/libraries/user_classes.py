"""Networks of the user's own classes, imported only where their package is trusted."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

from torch import nn

from edgekd.errors import InputError, MissingDependencyError
from edgekd.models.trust import refuse_untrusted

__all__ = ["create"]

_COUNTS = ("num_classes", "n_classes", "num_labels", "classes")
"""Names under which constructors take the number of outputs."""


def create(name: str, classes: int, options: dict[str, Any]) -> nn.Module:
    """A network of a class; see `Library.create`.

    Its constructor is given the number of classes where it has a parameter of a usual name for it.

    Args:
        name: The class as `package.module:Class`.
        classes: Number of outputs.
        options: Arguments of its constructor.

    Raises:
        InputError: Its package is not trusted, there is no such class, it is no network, or it
            refuses the options.
        MissingDependencyError: Its module cannot be imported.
    """
    refuse_untrusted(name)
    kind = _class_at(name)
    try:
        network: nn.Module = kind(**_counted(kind, classes) | options)
    except Exception as error:  # whatever the user's class raises
        why = " ".join(str(error).split()) or type(error).__name__
        message = f"{name} cannot be made with {options or 'no options'}: {why}"
        raise InputError(message, "correct its `options` (`--kwargs` of an import)") from error
    return network


def _class_at(place: str) -> type[nn.Module]:
    module, _, attribute = place.partition(":")
    try:
        kind = getattr(import_module(module), attribute, None)
    except ImportError as error:
        message = f"{module} does not import: {error}"
        hint = f"install the package of {module}, or set PYTHONPATH to its folder"
        missing = (error.name or module).partition(".")[0]
        raise MissingDependencyError(missing, "", "", message=message, hint=hint) from error
    except Exception as error:  # its module may raise anything
        message = f"{module} does not import: {type(error).__name__}: {error}"
        raise InputError(message, "correct the module") from error
    if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
        message = f"{place} is no class of networks (torch.nn.Module)"
        raise InputError(message, "write it as package.module:Class")
    return kind


def _counted(kind: type[nn.Module], classes: int) -> dict[str, Any]:
    """The number of classes by the name that the constructor has for it."""
    known = inspect.signature(kind).parameters
    return {name: classes for name in _COUNTS if name in known}
