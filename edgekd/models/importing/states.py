"""The tensors of networks among what a file holds: where they are, and under which prefix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from edgekd.errors import InputError

__all__ = ["State", "below", "choose_state", "prefixes_of", "states_in"]

_EMA_FIRST = (
    "state_dict_ema", "model_ema", "ema", "ema_state_dict", "state_dict", "model",
    "model_state_dict", "net", "network", "weights",
)  # fmt: skip
"""Keys that training scripts keep weights under. Of a moving average and the weights themselves the
average goes first, since it is what such scripts evaluate.
"""
_FEWEST = 2
"""Tensors that a network has at least."""


@dataclass(frozen=True)
class State:
    """Tensors of a network by name.

    Attributes:
        key: Where in the file they are; "" for the file as a whole.
        tensors: The tensors.
        prefix: What was taken off the names.
        left: Names beside those that begin with the prefix.
    """

    key: str
    tensors: Mapping[str, Tensor]
    prefix: str = ""
    left: tuple[str, ...] = ()

    def text(self) -> str:
        """One line for people: how many tensors, where, and what was left."""
        place = f" under {self.key}" if self.key else ""
        names = f", their prefix {self.prefix} taken off" if self.prefix else ""
        rest = f"; {len(self.left)} beside them are left ({self.left[0]} …)" if self.left else ""
        return f"{len(self.tensors)} tensors{place}{names}{rest}"


def states_in(content: Any) -> list[State]:
    """All dictionaries of tensors in what a file holds, the most likely first."""
    if isinstance(content, nn.Module):
        return [State("", content.state_dict())]
    found_states = list(_states(content, ""))
    order = {key: place for place, key in enumerate(_EMA_FIRST)}
    return sorted(found_states, key=lambda state: order.get(state.key, len(order)))


def choose_state(file: Path, content: Any, key: str | None) -> State:
    """The weights of a network in what a file holds.

    Args:
        file: The file.
        content: What it holds.
        key: Key that the user names; it may also be a prefix of names, which is applied later.

    Raises:
        InputError: There are none.
    """
    states = states_in(content)
    if not states:
        kind = type(content).__name__
        message = f"{file} holds no weights, but a {kind}{_keys(content)}"
        raise InputError(message, "give a file of a state dict")
    named = [state for state in states if state.key == key]
    return (named or states)[0]


def prefixes_of(names: list[str]) -> list[str]:
    """Prefixes up to a dot that names have in common, "" first."""
    prefixes = {""}
    for name in names:
        parts = name.split(".")
        prefixes |= {".".join(parts[:depth]) + "." for depth in range(1, min(len(parts), 5))}
    return sorted(prefixes, key=lambda prefix: (prefix.count("."), prefix))


def below(state: State, prefix: str) -> State:
    """The tensors whose names begin with a prefix, without it."""
    inner = {
        name[len(prefix) :]: tensor
        for name, tensor in state.tensors.items()
        if name.startswith(prefix)
    }
    left = tuple(name for name in state.tensors if not name.startswith(prefix))
    return State(state.key, inner, prefix, left)


def _states(content: Any, key: str) -> Iterator[State]:
    if not isinstance(content, Mapping):
        return
    tensors = {
        name: value
        for name, value in content.items()
        if isinstance(name, str) and isinstance(value, Tensor)
    }
    if len(tensors) >= _FEWEST and len(tensors) == len(content):
        yield State(key, tensors)
        return
    for name, value in content.items():
        inner = value.state_dict() if isinstance(value, nn.Module) else value
        yield from _states(inner, f"{key}.{name}" if key else str(name))


def _keys(content: Any) -> str:
    if not isinstance(content, Mapping):
        return ""
    return f" of {', '.join(map(str, list(content)[:6]))}"
