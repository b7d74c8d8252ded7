"""Compiling the network that is trained with `torch.compile`, where a trial shows that it pays."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from edgekd.errors import InputError

__all__ = ["CompileTrial", "compiled", "refuse_uncompiled"]

_HALF = "forward_features"  # of timm's networks: their features are read between the halves
_WORTH = 0.95
"""Share of an uncompiled step's time that a compiled one may take at most."""
_LEAST_MINUTES = 20.0
"""Minutes of training below which no trial is made: it takes one or two itself."""
_REPAID = 2.0
"""How often what is saved has to cover the time of compiling, which resumed runs do again."""


@dataclass(frozen=True)
class CompileTrial:
    """What a trial of compiling gave.

    Attributes:
        compiled: Whether it pays.
        reason: Why, for people.
    """

    compiled: bool
    reason: str

    @classmethod
    def of(
        cls,
        network: nn.Module,
        step: Callable[[], float],
        steps: int,
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> CompileTrial:
        """Compare steps with and without compiling.

        Args:
            network: The network, with its normalisation in front.
            step: Trains the network on a batch, once, and gives the median seconds of such steps.
            steps: Training steps of the whole run.
            clock: Gives the time in seconds.
        """
        plain = step()
        if plain * steps < 60.0 * _LEAST_MINUTES:
            return cls(False, f"not compiled: training takes less than {_LEAST_MINUTES:.0f} min")
        start = clock()
        try:
            with compiled(network):
                step()
                spent, faster = clock() - start, step()
        except Exception as error:  # whatever a compiler raises: training goes on without it
            return cls(False, f"not compiled: {_first_line(error)}")
        times = f"a step of the student {plain:.3f} s, compiled {faster:.3f} s"
        pays = faster <= _WORTH * plain and steps * (plain - faster) > _REPAID * spent
        return cls(pays, f"{'compiled' if pays else 'not compiled'}: {times}")


@contextmanager
def compiled(network: nn.Module) -> Iterator[None]:
    """Compile what the network computes of its images while it trains; names of weights stay.

    Evaluation runs uncompiled: it has other batch sizes, for which it would be compiled again.

    Args:
        network: The network, with or without its normalisation in front.
    """
    inner: Any = getattr(network, "network", network)
    name = _HALF if hasattr(inner, _HALF) else "forward"
    plain = getattr(inner, name)
    quick = torch.compile(plain)

    def forward(*arguments: Any, **options: Any) -> Any:
        return (quick if inner.training else plain)(*arguments, **options)

    setattr(inner, name, forward)
    try:
        yield
    finally:
        delattr(inner, name)  # the method of the class is what it was


def refuse_uncompiled(network: nn.Module, step: Callable[[], float]) -> None:
    """Refuse a recipe that insists on compiling where a step does not run compiled.

    Raises:
        InputError: There is no compiler, or the network cannot be compiled.
    """
    try:
        with compiled(network):
            step()
    except Exception as error:
        message = f"torch.compile does not work here: {_first_line(error)}"
        raise InputError(
            message, "install a C++ compiler, or set `trainer.compile: never`"
        ) from error


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
