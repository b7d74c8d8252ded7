"""Static check of an ONNX file against TensorRT's rules, without TensorRT."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgekd.errors import ArtefactError
from edgekd.lower.backends.base import missing_tool
from edgekd.lower.backends.tensorrt.operators import OPERATOR_TYPES
from edgekd.lower.backends.tensorrt.quantised import quantisation_findings

if TYPE_CHECKING:
    import onnx

__all__ = ["OPSETS", "check_onnx"]

OPSETS = range(13, 21)
"""Per-channel Q/DQ starts with opset 13; JetPack 6 (TensorRT 10.3) reads up to 20, later more."""

_BAD_NODE = re.compile(r"node\. Name: (?P<name>\S+) OpType: (?P<operator>\w+)")


def check_onnx(path: Path) -> list[str]:
    """What TensorRT 10 or 11 would refuse in an ONNX file; empty where it would accept it.

    Checked: opset within `OPSETS`; operators and types that the parser accepts; one uint8 input
    [1, S, S, 3] that is cast before anything else; Q/DQ in signed int8 with zero point 0, finite
    positive scales and one scale per channel at most; static shapes throughout; one float32
    output [1, …]. Each finding names the node or tensor, and what to change.

    TensorRT itself accepts some of it and computes something else: TensorRT-RTX 1.7 reads an
    unsigned zero point as int8 and accepts an infinite scale.

    Sources: NVIDIA TensorRT documentation, "Working with quantized types" (symmetric int8 only),
    and the operator list of onnx-tensorrt (uint8 only as input or output of the network).

    Raises:
        ArtefactError: The file is missing or not ONNX.
        MissingDependencyError: The package onnx is not installed.
    """
    model = _load(path)
    kinds = _kinds(model)
    return [
        *_check_opset(model),
        *_check_operators(model.graph),
        *_check_input(model.graph),
        *_check_output(model.graph),
        *_check_types(model.graph, kinds),
        *quantisation_findings(model.graph, _constants(model.graph)),
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
        return onnx.shape_inference.infer_shapes(model)
    except Exception as error:  # protobuf's, onnx's and the system's errors have no common base
        message = f"{path.name} is not a valid ONNX file: {_reason(error)}"
        raise ArtefactError(message, "lower the student again") from error


def _reason(error: Exception) -> str:
    """The first line; onnx names the node in a later one."""
    message = str(error).strip()
    node = _BAD_NODE.search(message)
    named = f"node {node['name']!r} ({node['operator']}): " if node else ""
    return named + (message.splitlines() or ["no reason given"])[0]


def _constants(graph: onnx.GraphProto) -> dict[str, NDArray[np.generic]]:
    from onnx import numpy_helper

    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    return constants


def _kinds(model: onnx.ModelProto) -> dict[str, str]:
    """ONNX's name of each tensor's type, where it is known."""
    graph, kinds = model.graph, {}
    for entry in (*graph.input, *graph.value_info, *graph.output):
        kinds[entry.name] = entry.type.tensor_type.elem_type
    kinds |= {tensor.name: tensor.data_type for tensor in graph.initializer}
    return {name: _type_name(kind) for name, kind in kinds.items() if kind}


def _check_opset(model: onnx.ModelProto) -> Iterator[str]:
    versions = {opset.domain: opset.version for opset in model.opset_import}
    version = versions.get("", versions.get("ai.onnx", 0))
    if version not in OPSETS:
        yield f"opset {version} is not within {OPSETS[0]}..{OPSETS[-1]}: export with one of these"


def _check_operators(graph: onnx.GraphProto) -> Iterator[str]:
    for node in graph.node:
        if node.domain not in ("", "ai.onnx"):
            yield (
                f"{_named(node)}: operators of {node.domain} are not ONNX's own; TensorRT lacks "
                "them: write it with ONNX's operators"
            )
        elif node.op_type not in OPERATOR_TYPES:
            yield f"{_named(node)}: TensorRT lacks this operator: write it with others"


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
                yield f"{_named(node)} takes the uint8 image: cast it to float32 first"


def _check_output(graph: onnx.GraphProto) -> Iterator[str]:
    from onnx import TensorProto

    if len(graph.output) != 1:
        yield f"there are {len(graph.output)} outputs, not one"
    for entry in graph.output:
        shape = _shape(entry)
        fixed = len(shape) > 1 and shape[0] == 1 and None not in shape
        if not fixed or entry.type.tensor_type.elem_type != TensorProto.FLOAT:
            yield f"output {entry.name!r} is {_described(entry)}, not FLOAT [1, …]"


def _check_types(graph: onnx.GraphProto, kinds: dict[str, str]) -> Iterator[str]:
    """The type of each node's first input; the image and Q/DQ have rules of their own."""
    images = {entry.name for entry in graph.input}
    for node in graph.node:
        if node.op_type not in OPERATOR_TYPES or node.op_type == "DequantizeLinear":
            continue
        name = (node.input or node.output)[0]
        kind = kinds.get(name)
        if kind is None or name in images or kind in OPERATOR_TYPES[node.op_type]:
            continue
        known = "/".join(sorted(OPERATOR_TYPES[node.op_type]))
        yield f"{_named(node)} takes {kind}, TensorRT only {known}: cast it first"


def _check_shapes(model: onnx.ModelProto) -> Iterator[str]:
    producers = {output: node for node in model.graph.node for output in node.output}
    for entry in model.graph.value_info:
        if None in _shape(entry) and entry.name in producers:
            yield (
                f"{_named(producers[entry.name])} has the dynamic shape {_described(entry)}: "
                "export for one image of fixed size"
            )


def _casts_to_float(node: onnx.NodeProto) -> bool:
    from onnx import TensorProto

    targets = [attribute.i for attribute in node.attribute if attribute.name == "to"]
    return node.op_type == "Cast" and targets == [TensorProto.FLOAT]


def _shape(entry: onnx.ValueInfoProto) -> list[int | None]:
    sides = entry.type.tensor_type.shape.dim
    return [side.dim_value if side.HasField("dim_value") else None for side in sides]


def _described(entry: onnx.ValueInfoProto) -> str:
    sides = ["?" if side is None else side for side in _shape(entry)]
    return f"{_type_name(entry.type.tensor_type.elem_type)} {sides}"


def _type_name(kind: int) -> str:
    from onnx import TensorProto

    return str(TensorProto.DataType.Name(kind))


def _named(node: onnx.NodeProto) -> str:
    return f"node {(node.name or node.output[0])!r} ({node.op_type})"
