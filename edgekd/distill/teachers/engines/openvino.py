"""A teacher in OpenVINO, on CPUs."""

from __future__ import annotations

import os
import warnings
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from edgekd.distill.teachers.engines.engine import Engine
from edgekd.errors import MissingDependencyError
from edgekd.runtime.telemetry import silence

__all__ = ["OpenVinoEngine"]

_HINTS = {"fp32": "f32", "bf16": "bf16"}


class OpenVinoEngine(Engine):
    """Computes a teacher's outputs by OpenVINO; see `Engine`.

    A graph is compiled for each batch size that occurs: training has one.
    """

    name = "openvino"
    title = "OpenVINO"
    tolerances: ClassVar[dict[str, float]] = {"fp32": 1e-3, "bf16": 5e-2}

    def __init__(self, network: nn.Module, example: Tensor, precision: str, threads: int) -> None:
        super().__init__(network, example, precision, threads)
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

    @property
    def version(self) -> str:
        """Version of OpenVINO."""
        return str(self._openvino.__version__)

    def infer(self, pixels: Tensor) -> list[Tensor]:
        """The network's tensors for pixels [B, 3, S, S]."""
        compiled = self._compiled.get(len(pixels)) or self._compile(len(pixels))
        results = compiled(pixels.detach().float().contiguous().numpy())
        # Copies: the engine writes the next batch into the same memory.
        return [torch.from_numpy(results[output].copy()) for output in compiled.outputs]

    def _compile(self, batch: int) -> Any:
        self._model.reshape([batch, *self._shape])
        compiled = self._openvino.Core().compile_model(self._model, "CPU", self._settings)
        self._compiled[batch] = compiled
        return compiled


def _openvino() -> Any:
    silence()
    try:
        import openvino
    except ImportError as error:
        name = OpenVinoEngine.name
        raise MissingDependencyError(name, name, "run the teacher in it") from error
    return openvino
