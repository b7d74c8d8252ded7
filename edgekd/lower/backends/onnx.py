"""ONNX for ONNX Runtime on the CPU: `model.onnx`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgekd.lower.backends._onnx_quantise import (
    Preset,
    float_model,
    measured_of,
    quantise,
    recorded,
)
from edgekd.lower.backends.base import (
    Backend,
    Calibration,
    check_precision,
    check_request,
    quantising_by_ranges,
    versions_of,
)
from edgekd.lower.int8.recorded_ranges import RecordedRanges
from edgekd.lower.precision import Variant
from edgekd.runtime.telemetry import silence

if TYPE_CHECKING:
    from torch import nn

    from edgekd.lower.graph import DeployGraph

__all__ = ["OnnxBackend"]

_PRESET = Preset(
    operators=(
        "Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "Clip", "Relu",
        "Mul", "Sigmoid", "MaxPool", "AveragePool", "GlobalAveragePool",
    ),
    activations="QUInt8",
    seven_bits=True,
    float_outputs=False,
    # A linear layer ends in float: the logits are not rounded once more.
    options={"OpTypesToExcludeOutputQuantization": ["Gemm", "MatMul"]},
)  # fmt: skip

_SLOW_ACTIVATIONS = {
    "hardswish": "ONNX Runtime computes hard-swish in float: int8 is slower than fp32 on a CPU",
    "silu": "int8 is no faster than fp32 in ONNX Runtime on a CPU where the activation is SiLU",
}


class OnnxBackend(Backend):
    """Lowers by torch's ONNX exporter and quantises by ONNX Runtime for its CPU kernels.

    int8 is Q/DQ (what ONNX Runtime recommends; it becomes the same QLinearConv as its older
    QOperator format, at the same speed), with unsigned asymmetric activations, int8 weights per
    channel, and int32 biases. Measured with MobileNetV2 at 224 px on one thread of a Xeon with
    VNNI, against fp32: this 1.2 to 1.6 times as fast, signed activations 0.9, unsigned weights
    0.8, weights per tensor no faster.

    Weights are kept within seven bits. A CPU without VNNI adds pairs of 8-bit products in 16 bits
    that saturate, silently; with seven bits they cannot (2·255·64 < 2^15), so that what the gate
    saw on the host holds on any device. It costs no time.

    Layers that stay float in `int8-mixed` compute in float, but read what an integer neighbour
    rounded: ONNX Runtime has no integer convolution with float output.

    Source: ONNX Runtime documentation, "Quantize ONNX models", and `quantize_static`.
    """

    precisions = ("fp32", "int8-mixed", "int8")

    def lower(
        self,
        graph: DeployGraph,
        image_size: int,
        variant: Variant,
        calibration: Calibration | None,
        out: Path,
    ) -> dict[str, str]:
        """Write `model.onnx`; see `Backend.lower`.

        Raises:
            InputError: Also where a float layer is not in the graph.
        """
        check_request(self, image_size, variant, calibration)
        return self._write(graph, image_size, variant, calibration, out)

    def measure(
        self, graph: DeployGraph, image_size: int, variant: Variant, calibration: Calibration
    ) -> RecordedRanges:
        """See `RangedBackend.measure`."""
        check_request(self, image_size, variant, calibration)
        silence()
        return recorded(graph, image_size, calibration)

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
        with quantising_by_ranges("ONNX Runtime"):
            return self._write(graph, image_size, variant, ranges, out)

    def _write(
        self,
        graph: DeployGraph,
        image_size: int,
        variant: Variant,
        source: Calibration | RecordedRanges | None,
        out: Path,
    ) -> dict[str, str]:
        silence()
        model = float_model(graph, image_size, "lower for ONNX Runtime")
        tools = ["torch", "onnx", "onnxscript"]
        if variant.calibrated and source is not None:
            measured = measured_of(graph, image_size, source)
            model = quantise(graph, image_size, measured, variant.float_layers, _PRESET)
            tools.append("onnxruntime")
        (out / self.model_file).write_bytes(model.SerializeToString())
        return versions_of(*tools)

    def concerns(self, network: nn.Module) -> tuple[str, ...]:
        """See `Backend.concerns`.

        Measured as above: int8 takes 2 times as long as fp32 with MobileNetV3-small (hard-swish
        has no integer kernel, and cuts the network into pieces), the same time with
        EfficientNet-B0 (SiLU), and 0.6 times as long with EfficientNet-Lite0 (ReLU6).
        """
        kinds = {type(module).__name__.lower() for module in network.modules()}
        return tuple(concern for kind, concern in _SLOW_ACTIVATIONS.items() if kind in kinds)
