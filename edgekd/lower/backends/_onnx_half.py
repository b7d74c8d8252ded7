"""fp16 in ONNX, with float32 islands where half precision would overflow or vanish.

A strongly typed engine computes as the file says, so what leaves fp16's range has to be found
beforehand: weights by themselves, activations on calibration images. ONNX Runtime's CPU kernels do
not show it, since they compute most of an fp16 file in float32 and drop the casts between.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekd.errors import ArtefactError
from edgekd.lower.backends._onnx_quantise import Ranges, before_network, in_order
from edgekd.lower.backends.base import missing_tool

if TYPE_CHECKING:
    import onnx

__all__ = ["LIMIT", "half_model", "islands_of"]

_GREATEST = 65504.0
_LEAST_NORMAL = 2.0**-14
"""Below it fp16 loses digits, down to one at 2^-24."""

LIMIT = _GREATEST / 4
"""Largest activation on calibration images that may be fp16. The margin is for other images, and
for sums of which a kernel may hold partial sums, larger than the total, in half precision."""

_SENSITIVE = frozenset({
    "Exp", "GroupNormalization", "InstanceNormalization", "LayerNormalization", "Log",
    "LogSoftmax", "LpNormalization", "MeanVarianceNormalization", "Pow", "ReduceL2",
    "ReduceLogSumExp", "ReduceSumSquare", "Softmax",
})  # fmt: skip
"""Operators with exponentials or sums of squares, often reported to overflow or to vanish in fp16
(NVIDIA/TensorRT#2466, #2564, #3101)."""

_SUMS = frozenset({"AveragePool", "GlobalAveragePool", "ReduceMean", "ReduceSum"})

_KEY = "edgekd.float32"
"""Key of the file's metadata for the names of the float32 islands, one per line."""


def half_model(model: onnx.ModelProto, ranges: Ranges | None) -> onnx.ModelProto:
    """`model` in fp16 from the first layer to the last; the logits are cast back.

    Cast of the image and normalisation stay float32: TensorRT requires it of the cast, and pixels
    are rounded once only. Both are removed before the conversion and put back after it, because the
    converter would round to fp16 between any two nodes that it leaves in float32.

    Args:
        model: A float model with the types of all tensors; not changed.
        ranges: Least and greatest value of each float tensor on calibration images, or None:
            then only weights and operators decide what stays float32.

    Raises:
        ArtefactError: A tensor is not finite on the calibration images.
        MissingDependencyError: ONNX Runtime's tools are not installed.
    """
    try:
        from onnxruntime.transformers.float16 import convert_float_to_float16
    except ImportError as error:
        raise missing_tool(error, "convert ONNX to fp16") from error
    from edgekd.lower.onnx_export import clean_model, subclass_nodes

    network = copy.deepcopy(model)
    nodes, constants = _take_off(network.graph, before_network(model))
    islands = _islands(network.graph, ranges or {}, subclass_nodes(network))
    half = convert_float_to_float16(network, keep_io_types=True, node_block_list=islands)
    graph = half.graph
    del graph.input[:], graph.value_info[:]  # the converter leaves some wrong types there
    graph.input.extend(model.graph.input)
    graph.initializer.extend(constants)
    graph.node.extend(nodes)
    _join_islands(graph)
    half = in_order(clean_model(half))
    if islands:
        half.metadata_props.add(key=_KEY, value="\n".join(islands))
    return half


def islands_of(file: Path) -> tuple[str, ...]:
    """Names of the nodes of an fp16 file that stay float32, as `half_model` noted them."""
    import onnx

    notes = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
    return tuple(notes.get(_KEY, "").split())


# ---- which nodes ----


def _islands(graph: onnx.GraphProto, ranges: Ranges, sums: Collection[str]) -> list[str]:
    """Nodes that read or write a tensor out of fp16's range, sensitive nodes, and `sums`.

    Values that a ReLU or its upper limit cuts off do not count (see `measure`), since it cuts
    off infinity too.
    """
    _refuse_infinite(graph, ranges)
    beyond = {name for name, (low, high) in ranges.items() if _is_beyond(low, high, LIMIT)}
    beyond |= set(_weights_beyond(graph))
    counts = _element_counts(graph)
    return [
        node.name
        for node in graph.node
        if node.op_type in _SENSITIVE
        or node.name in sums
        or beyond.intersection((*node.input, *node.output))
        or _may_overflow_in_sum(node, ranges, counts)
    ]


def _is_beyond(low: float, high: float, limit: float) -> bool:
    greatest = max(abs(float(low)), abs(float(high)))
    return greatest > limit or 0 < greatest < _LEAST_NORMAL


def _weights_beyond(graph: onnx.GraphProto) -> Iterator[str]:
    from onnx import TensorProto, numpy_helper

    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            values = numpy_helper.to_array(tensor)
            if values.size and _is_beyond(values.min(), values.max(), _GREATEST):
                yield tensor.name


def _may_overflow_in_sum(node: onnx.NodeProto, ranges: Ranges, counts: Mapping[str, int]) -> bool:
    """Whether the elements that a mean adds up could exceed fp16 before they are divided."""
    if node.op_type not in _SUMS or node.input[0] not in ranges:
        return False
    low, high = (abs(float(side)) for side in ranges[node.input[0]])
    added = counts.get(node.input[0], 1) / counts.get(node.output[0], 1)
    return max(low, high) * added > _GREATEST


def _element_counts(graph: onnx.GraphProto) -> dict[str, int]:
    entries = (*graph.input, *graph.value_info, *graph.output)
    return {
        entry.name: math.prod(side.dim_value or 1 for side in entry.type.tensor_type.shape.dim)
        for entry in entries
    }


def _refuse_infinite(graph: onnx.GraphProto, ranges: Ranges) -> None:
    producers = {output: node for node in graph.node for output in node.output}
    for name, sides in ranges.items():
        if name in producers and not np.isfinite(sides).all():
            node = producers[name]
            message = (
                f"node {node.name!r} ({node.op_type}) gives NaN or infinity on the calibration "
                "images, before any rounding to fp16"
            )
            raise ArtefactError(message, "look at the student: its float answers are not finite")


# ---- the graph ----


def _take_off(
    graph: onnx.GraphProto, names: list[str]
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Remove the nodes of these names, with their constants; their outputs become inputs."""
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


def _join_islands(graph: onnx.GraphProto) -> None:
    """Let neighbouring float32 nodes pass float32: the converter rounds to fp16 between them."""
    from onnx import TensorProto

    down = {node.output[0]: node for node in _casts(graph, TensorProto.FLOAT16)}
    for up in _casts(graph, TensorProto.FLOAT):
        rounding = down.get(up.input[0])
        if rounding is not None:
            _replace(graph, up, rounding.input[0])
    _drop_unread(graph)


def _casts(graph: onnx.GraphProto, kind: int) -> list[onnx.NodeProto]:
    return [
        node
        for node in graph.node
        if node.op_type == "Cast" and any(entry.i == kind for entry in node.attribute)
    ]


def _replace(graph: onnx.GraphProto, cast: onnx.NodeProto, source: str) -> None:
    """Let the readers of a cast read `source`; an output of the graph keeps its name."""
    given, kept = cast.output[0], source
    graph.node.remove(cast)
    if given in {entry.name for entry in graph.output}:
        given, kept = source, given
    for node in graph.node:
        for field in (node.input, node.output):
            for index, name in enumerate(field):
                if name == given:
                    field[index] = kept


def _drop_unread(graph: onnx.GraphProto) -> None:
    read = {name for node in graph.node for name in node.input}
    read |= {entry.name for entry in graph.output}
    for node in [node for node in graph.node if node.op_type == "Cast"]:
        if node.output[0] not in read:
            graph.node.remove(node)
