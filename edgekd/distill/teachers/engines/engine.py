"""A teacher lowered in memory to another engine, and checked against PyTorch before use."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from edgekd.errors import InputError, MissingDependencyError
from edgekd.extensions.teacher_engines import TEACHER_ENGINES
from edgekd.models.features import Features, features_of

__all__ = ["Engine", "Parity", "lower_teacher"]


@dataclass(frozen=True)
class Parity:
    """How far the lowered teacher is from PyTorch in fp32, over some training images.

    Attributes:
        images: Number of images.
        difference: Largest difference of an output.
        share: Largest difference of an output, or of a feature, as a share of the largest absolute
            value of its kind.
        tolerance: Largest share that is accepted.
    """

    images: int
    difference: float
    share: float
    tolerance: float


class Engine(ABC):
    """Computes a teacher's outputs on the CPU.

    Subclasses lower the network in their constructor.

    Attributes:
        name: Name in recipes.
        title: Name for people.
        tolerances: Largest difference from PyTorch in fp32, as a share of the largest absolute
            output, for each precision that the engine has.
        precision: Precision of the inference.
        parity: How far it is from PyTorch; None before it was compared.

    Args:
        network: Maps pixels to one tensor, or to several of which the outputs are the last.
        example: Pixels [B, 3, S, S].
        precision: Precision of the inference, one of `tolerances`.
        threads: CPU threads; 0 uses all cores.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    tolerances: ClassVar[Mapping[str, float]]

    @abstractmethod
    def __init__(self, network: nn.Module, example: Tensor, precision: str, threads: int) -> None:
        self.precision = precision
        self.parity: Parity | None = None

    @property
    @abstractmethod
    def version(self) -> str:
        """Version of the engine."""

    @abstractmethod
    def infer(self, pixels: Tensor) -> list[Tensor]:
        """The network's tensors for pixels [B, 3, S, S]; the next call leaves them as they are."""

    def outputs(self, pixels: Tensor) -> Tensor:
        """Outputs [B, …] of pixels [B, 3, S, S]."""
        return self.infer(pixels)[-1]

    def features(self, pixels: Tensor) -> Features:
        """The last map, the pooled vectors and the outputs of pixels [B, 3, S, S]."""
        return Features(*self.infer(pixels))

    def evidence(self) -> dict[str, Any]:
        """Plain values for a student's card."""
        parity = self.parity
        assert parity is not None
        return {
            "name": self.name, "version": self.version, "precision": self.precision,
            "largest_difference": parity.difference, "images": parity.images,
        }  # fmt: skip


def lower_teacher(
    name: str,
    network: nn.Module,
    forward: Callable[[Tensor], Tensor],
    images: Tensor,
    *,
    features: bool,
    precision: str,
    threads: int,
) -> Engine:
    """Lower a teacher, and check it on training images.

    Args:
        name: Name of the engine, of `TEACHER_ENGINES`.
        network: The teacher in evaluation mode, on the CPU.
        forward: Its outputs for pixels: those of the task, or of its head.
        images: Pixels of training images [B, 3, S, S], float32 in 0…1.
        features: Whether the method takes maps or pooled vectors.
        precision: `fp32` or `bf16`.
        threads: CPU threads; 0 uses all cores.

    Raises:
        MissingDependencyError: The engine is not installed.
        InputError: There is no such precision, the engine cannot convert the network, or its
            outputs differ by more than the tolerance.
    """
    kind: type[Engine] = resolve_name(TEACHER_ENGINES[name])
    if precision not in kind.tolerances:
        message = f"`teacher.engine: {name}` has no precision {precision} on a CPU"
        raise InputError(message, f"set `teacher.precision` to {' or '.join(kind.tolerances)}")
    exposed = _Exposed(network, forward, features=features).eval()
    try:
        engine = kind(exposed, images, precision, threads)
        lowered = engine.infer(images)
    except MissingDependencyError:
        raise
    except Exception as error:  # the converter raises errors of many types
        message = f"{kind.title} cannot convert the teacher: {str(error).strip().splitlines()[0]}"
        raise InputError(message, "set `teacher.engine` to torch") from error
    with torch.no_grad(), torch.autocast("cpu", enabled=False):
        expected = exposed(images)
    engine.parity = _parity(engine, lowered, list(expected))
    return engine


class _Exposed(nn.Module):
    """The tensors that a method takes: outputs, or map, pooled vector and outputs."""

    def __init__(
        self, network: nn.Module, forward: Callable[[Tensor], Tensor], *, features: bool
    ) -> None:
        super().__init__()
        self.network = network
        self._forward = forward
        self._features = features

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """The tensors, the outputs last."""
        if not self._features:
            return (self._forward(pixels),)
        made = features_of(self.network, pixels)
        return made.features, made.pooled, made.logits


def _parity(engine: Engine, lowered: list[Tensor], expected: list[Tensor]) -> Parity:
    """The differences.

    Raises:
        InputError: One of them is outside of the tolerance.
    """
    differences = [float((a - b).abs().max()) for a, b in zip(lowered, expected, strict=True)]
    sizes = [max(float(tensor.abs().max()), 1e-6) for tensor in expected]
    share = max(d / size for d, size in zip(differences, sizes, strict=True))
    tolerance = engine.tolerances[engine.precision]
    if not share <= tolerance:  # also for NaN
        message = (
            f"the teacher in {engine.title} ({engine.precision}) differs from PyTorch by up to "
            f"{differences[-1]:.3g} in its outputs, {share:.1%} of the largest value; "
            f"{tolerance:.1%} is accepted"
        )
        raise InputError(message, "set `teacher.precision` to fp32, or `teacher.engine` to torch")
    return Parity(len(expected[-1]), differences[-1], share, tolerance)
