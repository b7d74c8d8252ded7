"""A teacher lowered to OpenVINO in memory, for CPUs, and checked against PyTorch before use."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from edgekd.errors import InputError, MissingDependencyError
from edgekd.models.features import Features, features_of
from edgekd.runtime.telemetry import silence

__all__ = ["OpenVinoEngine", "Parity", "lower_teacher"]

EnginePrecision = Literal["fp32", "bf16"]

_HINTS = {"fp32": "f32", "bf16": "bf16"}
_TOLERANCES = {"fp32": 1e-3, "bf16": 5e-2}
"""Largest difference from PyTorch in fp32, as a share of the largest absolute output."""


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


class OpenVinoEngine:
    """Computes a teacher's outputs by OpenVINO.

    A graph is compiled for each batch size that occurs: training has one.

    Args:
        network: Maps pixels to one tensor, or to several.
        example: Pixels [B, 3, S, S].
        precision: Precision of the inference.
        threads: CPU threads; 0 uses all cores.
    """

    def __init__(
        self, network: nn.Module, example: Tensor, precision: EnginePrecision, threads: int
    ) -> None:
        self._openvino = _openvino()
        with torch.no_grad(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=FutureWarning)  # OpenVINO's use of tracing
            warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)  # type: ignore[attr-defined]
            self._model = self._openvino.convert_model(network, example_input=example)
        self._shape = tuple(example.shape[1:])
        self._settings = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "INFERENCE_NUM_THREADS": threads or os.cpu_count() or 1,
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._compiled: dict[int, Any] = {}
        self.precision = precision
        self.parity: Parity | None = None

    @property
    def version(self) -> str:
        """Version of OpenVINO."""
        return str(self._openvino.__version__)

    def outputs(self, pixels: Tensor) -> Tensor:
        """Outputs [B, …] of pixels [B, 3, S, S]."""
        return self._infer(pixels)[-1]

    def features(self, pixels: Tensor) -> Features:
        """The last map, the pooled vectors and the outputs of pixels [B, 3, S, S]."""
        return Features(*self._infer(pixels))

    def evidence(self) -> dict[str, Any]:
        """Plain values for a student's card."""
        parity = self.parity
        assert parity is not None
        return {
            "name": "openvino", "version": self.version, "precision": self.precision,
            "largest_difference": parity.difference, "images": parity.images,
        }  # fmt: skip

    def _infer(self, pixels: Tensor) -> list[Tensor]:
        compiled = self._compiled.get(len(pixels)) or self._compile(len(pixels))
        results = compiled(pixels.detach().float().contiguous().numpy())
        # Copies: the engine writes the next batch into the same memory.
        return [torch.from_numpy(results[output].copy()) for output in compiled.outputs]

    def _compile(self, batch: int) -> Any:
        self._model.reshape([batch, *self._shape])
        compiled = self._openvino.Core().compile_model(self._model, "CPU", self._settings)
        self._compiled[batch] = compiled
        return compiled


def lower_teacher(
    network: nn.Module,
    forward: Callable[[Tensor], Tensor],
    images: Tensor,
    *,
    features: bool,
    precision: str,
    threads: int,
) -> OpenVinoEngine:
    """Lower a teacher, and check it on training images.

    Args:
        network: The teacher in evaluation mode, on the CPU.
        forward: Its outputs for pixels: those of the task, or of its head.
        images: Pixels of training images [B, 3, S, S], float32 in 0…1.
        features: Whether the method takes maps or pooled vectors.
        precision: `fp32` or `bf16`.
        threads: CPU threads; 0 uses all cores.

    Raises:
        MissingDependencyError: OpenVINO is not installed.
        InputError: There is no such precision, OpenVINO cannot convert the network, or its outputs
            differ by more than the tolerance.
    """
    if precision not in _HINTS:
        message = f"`teacher.engine: openvino` has no precision {precision} on a CPU"
        raise InputError(message, "set `teacher.precision` to fp32 or bf16")
    kind: EnginePrecision = "bf16" if precision == "bf16" else "fp32"
    exposed = _Exposed(network, forward, features=features).eval()
    try:
        engine = OpenVinoEngine(exposed, images, kind, threads)
        lowered = engine.features(images) if features else engine.outputs(images)
    except MissingDependencyError:
        raise
    except Exception as error:  # the converter raises errors of many types
        message = f"OpenVINO cannot convert the teacher: {str(error).strip().splitlines()[0]}"
        raise InputError(message, "set `teacher.engine` to torch") from error
    with torch.no_grad(), torch.autocast("cpu", enabled=False):
        expected = exposed(images)
    engine.parity = _parity(_tensors(lowered), list(expected), kind)
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


def _tensors(lowered: Tensor | Features) -> list[Tensor]:
    if isinstance(lowered, Features):
        return [lowered.features, lowered.pooled, lowered.logits]
    return [lowered]


def _parity(lowered: list[Tensor], expected: list[Tensor], precision: EnginePrecision) -> Parity:
    """The differences.

    Raises:
        InputError: One of them is outside of the tolerance.
    """
    differences = [float((a - b).abs().max()) for a, b in zip(lowered, expected, strict=True)]
    sizes = [max(float(tensor.abs().max()), 1e-6) for tensor in expected]
    share = max(d / size for d, size in zip(differences, sizes, strict=True))
    tolerance = _TOLERANCES[precision]
    parity = Parity(len(expected[-1]), differences[-1], share, tolerance)
    if not share <= tolerance:  # also for NaN
        message = (
            f"the teacher in OpenVINO ({precision}) differs from PyTorch by up to "
            f"{differences[-1]:.3g} in its outputs, {share:.1%} of the largest value; "
            f"{tolerance:.1%} is accepted"
        )
        raise InputError(message, "set `teacher.precision` to fp32, or `teacher.engine` to torch")
    return parity


def _openvino() -> Any:
    silence()
    try:
        import openvino
    except ImportError as error:
        raise MissingDependencyError("openvino", "openvino", "run the teacher in it") from error
    return openvino
