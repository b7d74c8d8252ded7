"""Options of a constructor that belong somewhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekd.errors import InputError

__all__ = ["refuse_misplaced"]


def refuse_misplaced(name: str, options: dict[str, Any], elsewhere: Mapping[str, str]) -> None:
    """Refuse options that are set elsewhere.

    Args:
        name: The architecture.
        options: Its options.
        elsewhere: The options that are set elsewhere, and where.

    Raises:
        InputError: One of them is among the options.
    """
    for key in elsewhere.keys() & options.keys():
        message = f"`{key}` is no option of {name}: {elsewhere[key]}"
        raise InputError(message, f"remove `{key}` from the model's `options`")
