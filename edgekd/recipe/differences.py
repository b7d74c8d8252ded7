"""What differs between plain values, as recipes are once they are plain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["Difference", "differences"]

_LONGEST = 60


@dataclass(frozen=True)
class Difference:
    """A key, with dots, and its values; None where one has no such key."""

    key: str
    first: Any
    second: Any

    def text(self, first: str, second: str) -> str:
        """The difference in words: `fit.epochs is 3 there and 5 here`."""
        return f"{self.key} is {_short(self.first)} {first} and {_short(self.second)} {second}"


def differences(first: Any, second: Any, key: str = "") -> Iterator[Difference]:
    """Every key whose values differ, in the order of the first; within sections if both are."""
    if first == second:
        return
    if not isinstance(first, dict) or not isinstance(second, dict):
        yield Difference(key, first, second)
        return
    for name in [*first, *(name for name in second if name not in first)]:
        inner = f"{key}.{name}" if key else str(name)
        yield from differences(first.get(name), second.get(name), inner)


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
