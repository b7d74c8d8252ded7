"""Static check of an ONNX file against TensorRT's rules, without TensorRT."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgekd.errors import ArtefactError
from edgekd.lower.backends.base import missing_tool

if TYPE_CHECKING:
    import onnx

__all__ = ["OPSETS", "check_onnx"]

OPSETS = range(13, 24)
"""Per-channel Q/DQ starts with opset 13; TensorRT's parser knows operators up to 23."""

_Constants = dict[str, NDArray[np.generic]]


def check_onnx(path: Path) -> list[str]:
    """What TensorRT 10 or 11 would refuse in an ONNX file; empty where nothing was found.

    Checked: opset within `OPSETS` and no foreign operators; one uint8 input [1, S, S, 3] that
    is cast before anything else; Q/DQ with int8, zero point 0; static shapes throughout; one
    float32 output [1, K]. Each finding names the node or tensor.

    Sources: NVIDIA TensorRT documentation, "Working with quantized types" (symmetric int8 only)
    and the operator list of onnx-tensorrt (uint8 only as a network input that is cast).

    Raises:
        ArtefactError: The file is missing or not ONNX.
        MissingDependencyError: The package onnx is not installed.
    """
    model = _load(path)
    constants = dict(_constants(model.graph))
    return [
        *_check_operators(model),
        *_check_input(model.graph),
        *_check_output(model.graph),
        *_check_quantisation(model.graph, constants),
        *_check_shapes(model),
    ]


def _load(path: Path) -> onnx.ModelProto:
    try:
        import onnx
    except ImportError as error:
        raise missing_tool(error, "check an ONNX file") from error
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf's, onnx's and the system's errors have no common base
        why = str(error).strip().splitlines() or ["no reason given"]
        message = f"{path.name} is not a valid ONNX file: {why[0]}"
        raise ArtefactError(message, "lower the student again") from error
    return model


def _constants(graph: onnx.GraphProto) -> Iterator[tuple[str, NDArray[np.generic]]]:
    from onnx import numpy_helper

    for tensor in graph.initializer:
        yield tensor.name, numpy_helper.to_array(tensor)
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            yield node.output[0], numpy_helper.to_array(node.attribute[0].t)


def _check_operators(model: onnx.ModelProto) -> Iterator[str]:
    versions = {opset.domain: opset.version for opset in model.opset_import}
    version = versions.get("", versions.get("ai.onnx", 0))
    if version not in OPSETS:
        yield f"opset {version} is not within {OPSETS[0]}..{OPSETS[-1]}"
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx"):
            yield f"{_named(node)}: operators of {node.domain} are not ONNX's own"


def _check_input(graph: onnx.GraphProto) -> Iterator[str]:
    from onnx import TensorProto

    weights = {tensor.name for tensor in graph.initializer}
    inputs = [entry for entry in graph.input if entry.name not in weights]
    if len(inputs) != 1:
        yield f"there are {len(inputs)} inputs, not one"
    for entry in inputs:
        shape = _shape(entry)
        square = len(shape) == 4 and shape[1] == shape[2] and (shape[0], shape[3]) == (1, 3)
        if not square or entry.type.tensor_type.elem_type != TensorProto.UINT8:
            yield f"input {entry.name!r} is {_described(entry)}, not UINT8 [1, S, S, 3]"
        for node in graph.node:
            if entry.name in node.input and not _casts_to_float(node):
                yield f"{_named(node)} takes the uint8 input before it is cast to float"


def _check_output(graph: onnx.GraphProto) -> Iterator[str]:
    from onnx import TensorProto

    if len(graph.output) != 1:
        yield f"there are {len(graph.output)} outputs, not one"
    for entry in graph.output:
        shape = _shape(entry)
        flat = len(shape) == 2 and shape[0] == 1 and shape[1] is not None
        if not flat or entry.type.tensor_type.elem_type != TensorProto.FLOAT:
            yield f"output {entry.name!r} is {_described(entry)}, not FLOAT [1, K]"


def _check_quantisation(graph: onnx.GraphProto, constants: _Constants) -> Iterator[str]:
    for node in graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            continue
        zero = constants.get(node.input[2]) if len(node.input) > 2 else None
        if zero is None:
            yield f"{_named(node)} has no constant zero point (without one it means uint8)"
        elif zero.dtype != np.int8:
            yield f"{_named(node)} has {zero.dtype} values, not int8"
        elif np.any(zero != 0):
            yield f"{_named(node)} is asymmetric: its zero point is not 0"


def _check_shapes(model: onnx.ModelProto) -> Iterator[str]:
    import onnx

    inferred = onnx.shape_inference.infer_shapes(model).graph
    producers = {output: node for node in inferred.node for output in node.output}
    for entry in inferred.value_info:
        if None in _shape(entry) and entry.name in producers:
            yield f"{_named(producers[entry.name])} has the dynamic shape {_described(entry)}"


def _casts_to_float(node: onnx.NodeProto) -> bool:
    from onnx import TensorProto

    targets = [attribute.i for attribute in node.attribute if attribute.name == "to"]
    return node.op_type == "Cast" and targets == [TensorProto.FLOAT]


def _shape(entry: onnx.ValueInfoProto) -> list[int | None]:
    sides = entry.type.tensor_type.shape.dim
    return [side.dim_value if side.HasField("dim_value") else None for side in sides]


def _described(entry: onnx.ValueInfoProto) -> str:
    from onnx import TensorProto

    kind = TensorProto.DataType.Name(entry.type.tensor_type.elem_type)
    return f"{kind} {['?' if side is None else side for side in _shape(entry)]}"


def _named(node: onnx.NodeProto) -> str:
    return f"node {(node.name or node.output[0])!r} ({node.op_type})"
