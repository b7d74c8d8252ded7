"""TensorFlow Lite: `model.tflite`."""

from __future__ import annotations

import functools
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from edgekd.lower.backends._tflite_bias import with_corrected_biases
from edgekd.lower.backends._tflite_layers import scopes_of
from edgekd.lower.backends._tflite_ranges import (
    Measured,
    measure_activations,
    measured_of,
    recorded,
)
from edgekd.lower.backends._tflite_recipe import quantise_activations, quantise_weights
from edgekd.lower.backends.base import (
    Backend,
    Calibration,
    check_precision,
    check_request,
    converting,
    quantising_by_ranges,
    versions_of,
)
from edgekd.lower.precision import Variant

if TYPE_CHECKING:
    from torch import nn

    from edgekd.lower.graph import DeployGraph
    from edgekd.lower.int8.recorded_ranges import RecordedRanges

__all__ = ["TfliteBackend"]

_NOT_IN_INT8 = {
    "Hardswish": "hard-swish",
    "HardSwish": "hard-swish",
    "HardSwishMe": "hard-swish",
    "GELU": "GELU",
    "GELUTanh": "GELU",
    "PReLU": "PReLU",
}
"""Activations of torch and timm that XNNPACK takes in float and not in int8, by class name.

Measured with LiteRT 2.3: each such operator ends a partition and starts the next, while ReLU,
ReLU6, SiLU, quick GELU, sigmoid, hard-sigmoid, tanh and leaky ReLU stay within one. In a
MobileNetV2 at 96 pixels on one x86 core int8 took 6 times as long as fp32 with hard-swish, 15
times with PReLU and as long with GELU; one hard-swish alone made it 1.4 times as long.
"""


class TfliteBackend(Backend):
    """Lowers by LiteRT Torch and quantises by AI Edge Quantizer.

    Where activations are quantised too, biases are corrected for the rounding of weights, unless
    the network was trained in int8; see `edgekd.lower.int8.bias_correction`.
    """

    precisions = ("fp32", "fp16", "int8-weights", "int8-mixed", "int8")

    def lower(
        self,
        graph: DeployGraph,
        image_size: int,
        variant: Variant,
        calibration: Calibration | None,
        out: Path,
    ) -> dict[str, str]:
        """Write `model.tflite`; see `Backend.lower`.

        Raises:
            ArtefactError: A layer that is to stay in float cannot be identified in the file.
        """
        check_request(self, image_size, variant, calibration)
        measured = None
        if variant.calibrated and calibration is not None:
            measured = measure_activations(_float_model(graph, image_size), calibration)
        return self._write(graph, image_size, variant, measured, out)

    def measure(
        self, graph: DeployGraph, image_size: int, variant: Variant, calibration: Calibration
    ) -> RecordedRanges:
        """See `RangedBackend.measure`."""
        check_request(self, image_size, variant, calibration)
        measured = measure_activations(_float_model(graph, image_size), calibration)
        return recorded(measured, len(calibration))

    def lower_by_ranges(
        self,
        graph: DeployGraph,
        image_size: int,
        variant: Variant,
        ranges: RecordedRanges,
        out: Path,
    ) -> dict[str, str]:
        """See `RangedBackend.lower_by_ranges`."""
        check_precision(self, variant)
        with quantising_by_ranges("LiteRT"):
            return self._write(graph, image_size, variant, measured_of(ranges), out)

    def _write(
        self,
        graph: DeployGraph,
        image_size: int,
        variant: Variant,
        measured: Measured | None,
        out: Path,
    ) -> dict[str, str]:
        content = _float_model(graph, image_size)
        tools = ["torch", "litert-torch", "litert-converter"]
        if variant.precision != "fp32":
            content = _quantised(content, graph, variant, measured)
            tools += ["ai-edge-quantizer", "ai-edge-litert"]
        (out / self.model_file).write_bytes(content)
        return versions_of(*tools)

    def concerns(self, network: nn.Module) -> tuple[str, ...]:
        """Activations that cut the int8 file in pieces; see `Backend.concerns`.

        Sees modules; an activation that is called as a function is not seen.
        """
        kinds = Counter(
            _NOT_IN_INT8[type(module).__name__]
            for module in network.modules()
            if type(module).__name__ in _NOT_IN_INT8
        )
        return tuple(_cut_by(kind, count) for kind, count in sorted(kinds.items()))


def _cut_by(kind: str, count: int) -> str:
    layers, cut = ("layer", "cuts") if count == 1 else ("layers", "cut")
    return (
        f"{count} {kind} {layers} {cut} the int8 file in pieces, since XNNPACK takes {kind} "
        "in float only; int8 will be no quicker than fp32 and may be much slower"
    )


@functools.lru_cache(maxsize=1)
def _float_model(graph: DeployGraph, image_size: int) -> bytes:
    """The float file; the last one is kept, because every variant starts from it."""
    with converting("LiteRT", "lower for TensorFlow Lite"):
        import litert_torch
        import torch

        sample = torch.zeros(1, image_size, image_size, 3, dtype=torch.uint8)
        content: bytes = litert_torch.convert(graph, (sample,)).model_content()
    return content


def _quantised(
    content: bytes, graph: DeployGraph, variant: Variant, measured: Measured | None
) -> bytes:
    if measured is None or not variant.calibrated:
        return quantise_weights(content, variant.precision)
    layers = variant.float_layers
    kept = scopes_of(content, graph.network, layers) if layers else []
    if not graph.trained_in_int8:
        content = with_corrected_biases(content, measured.means, kept)
    return quantise_activations(content, measured.ranges, kept)
