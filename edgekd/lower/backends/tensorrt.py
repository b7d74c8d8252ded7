"""ONNX for TensorRT 10 and 11: `model.onnx`, from which the device builds its engine.

TensorRT 11 knows no precision flags and no calibrator: the precision stands in the ONNX, int8
as QuantizeLinear/DequantizeLinear pairs (signed, symmetric, zero point 0, weights per channel),
fp16 as the type of the tensors.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekd.errors import ArtefactError
from edgekd.lower.backends._onnx_quantise import (
    Preset,
    before_network,
    float_model,
    in_order,
    quantise,
)
from edgekd.lower.backends.base import (
    Calibration,
    Completion,
    check_request,
    missing_tool,
    versions_of,
)
from edgekd.lower.precision import Variant
from edgekd.runtime._telemetry import silence

if TYPE_CHECKING:
    import onnx
    from torch import nn

    from edgekd.lower.graph import DeployGraph

__all__ = ["TensorRtBackend"]

_QUANTISED = ("Conv", "ConvTranspose", "Gemm", "MatMul", "Add")

# Only inputs of convolutions, linear layers and residual sums are quantised. A pair between a
# convolution and its ReLU, which ONNX Runtime would set too, keeps TensorRT from fusing them and
# rounds twice. Biases stay float, since an int32 DequantizeLinear is not known everywhere.
_PRESET = Preset(
    operators=_QUANTISED,
    activations="QInt8",
    seven_bits=False,
    float_outputs=True,
    options={
        "ActivationSymmetric": True,
        "QuantizeBias": False,
        "OpTypesToExcludeOutputQuantization": list(_QUANTISED),
    },
)


class TensorRtBackend:
    """Lowers by torch's ONNX exporter; ONNX Runtime's tools quantise, and convert to fp16."""

    name: str = "tensorrt"
    precisions: tuple[str, ...] = ("fp32", "fp16", "int8-mixed", "int8")
    model_file: str = "model.onnx"
    host_session: str = "onnx"
    completion: Completion = "finish-on-device"

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
            ArtefactError: The file would break one of TensorRT's rules (see `check_onnx`).
        """
        check_request(self, image_size, variant, calibration)
        silence()
        model, file = float_model(graph, image_size, "lower for TensorRT"), out / self.model_file
        tools = ["torch", "onnx", "onnxscript"]
        if variant.calibrated and calibration is not None:
            model = quantise(graph, image_size, calibration, variant.float_layers, _PRESET)
            tools.append("onnxruntime")
        elif variant.precision == "fp16":
            model = _half(model)
            tools.append("onnxruntime")
        file.write_bytes(model.SerializeToString())
        _check(file)
        return versions_of(*tools)

    def concerns(self, network: nn.Module) -> tuple[str, ...]:
        """See `Backend.concerns`."""
        return ()


def _half(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` in fp16 from the first layer to the last; the logits are cast back.

    Cast of the image and normalisation stay float32: TensorRT wants the cast so, and pixels
    are rounded once. They are taken off and put back, because the converter would round to fp16
    between any two nodes that are kept from it.
    """
    try:
        from onnxruntime.transformers.float16 import convert_float_to_float16
    except ImportError as error:
        raise missing_tool(error, "convert ONNX to fp16") from error
    network = copy.deepcopy(model)
    nodes, constants = _take_off(network.graph, before_network(model))
    half = convert_float_to_float16(network, keep_io_types=True)
    graph = half.graph
    del graph.input[:], graph.value_info[:]  # the converter leaves some wrong types there
    graph.input.extend(model.graph.input)
    graph.initializer.extend(constants)
    graph.node.extend(nodes)
    return in_order(half)


def _take_off(
    graph: onnx.GraphProto, names: list[str]
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Remove the nodes of these names, with their constants, and make inputs of what they gave."""
    nodes = [copy.deepcopy(node) for node in graph.node if node.name in names]
    rest = [node for node in graph.node if node.name not in names]
    read = {name for node in rest for name in node.input}
    given = {name for node in nodes for name in node.output} & read
    inputs = [entry for entry in graph.value_info if entry.name in given]
    alone = {name for node in nodes for name in node.input} - read
    constants = [copy.deepcopy(tensor) for tensor in graph.initializer if tensor.name in alone]
    kept = [tensor for tensor in graph.initializer if tensor.name not in alone]
    parts: list[tuple[Any, list[Any]]] = [
        (graph.node, rest), (graph.input, inputs), (graph.initializer, kept),
    ]  # fmt: skip
    for field, entries in parts:
        copies = [copy.deepcopy(entry) for entry in entries]
        del field[:]
        field.extend(copies)
    return nodes, constants


def _check(file: Path) -> None:
    from edgekd.lower.engine.lint import check_onnx

    findings = check_onnx(file)
    if findings:
        message = f"TensorRT would refuse {file.name}: {'; '.join(findings)}"
        raise ArtefactError(message, "choose another student, or precision fp32")
