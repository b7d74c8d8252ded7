"""Limits of the gate and of classes, as `build` and `certify` take them on the command line."""

from __future__ import annotations

from collections.abc import Sequence

from edgekd.errors import InputError

__all__ = ["CRITICAL_LIMIT", "critical_classes", "limits_by_name"]

CRITICAL_LIMIT = 0.05
"""Limit of the drop of a class that `--critical` names without a limit."""


def critical_classes(text: str) -> dict[str, float] | None:
    """The classes of `--critical` with their limits; None where it names none."""
    if text == "none":
        return {}
    if not text:
        return None
    parts = [part.strip() for part in text.split(",")]
    return limits_by_name([part if "=" in part else f"{part}={CRITICAL_LIMIT}" for part in parts])


def limits_by_name(texts: Sequence[str]) -> dict[str, float]:
    """Limits by name, from texts of the form NAME=VALUE.

    Raises:
        InputError: A text is not of this form, or one name has two values.
    """
    limits: dict[str, float] = {}
    for name, value in map(_limit, texts):
        if limits.setdefault(name, value) != value:
            message = f"{name} is given two limits, {limits[name]:g} and {value:g}"
            raise InputError(message, "give one")
    return limits


def _limit(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        message = f"{text!r} is not of the form NAME=VALUE with a number"
        raise InputError(message, "write e.g. max_flips=0.01") from None
