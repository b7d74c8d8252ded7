"""TensorRT's rules for QuantizeLinear and DequantizeLinear: the lint of int8 files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

__all__ = ["quantisation_findings"]

_PAIR = ("QuantizeLinear", "DequantizeLinear")
_DEFAULT_AXIS = 1

# Axis of the output channels in the weights; a linear layer's weights may be transposed.
_OUTPUT_AXES = {"Conv": (0,), "ConvTranspose": (1,), "Gemm": (0, 1), "MatMul": (1,)}

_Constants = Mapping[str, NDArray[np.generic]]


def quantisation_findings(graph: onnx.GraphProto, constants: _Constants) -> Iterator[str]:
    """What TensorRT would refuse or misread in Q/DQ nodes; one sentence each.

    Args:
        graph: The file's.
        constants: Values of initializers and Constant nodes, by name.
    """
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    for node in graph.node:
        if node.op_type in _PAIR:
            yield from _check_zero_point(node, constants)
            yield from _check_scale(node, constants)
            yield from _check_channels(node, constants, readers)


def _check_zero_point(node: onnx.NodeProto, constants: _Constants) -> Iterator[str]:
    zero = constants.get(node.input[2]) if len(node.input) > 2 else None
    if zero is None:
        yield f"{_named(node)} has no constant zero point, which means uint8: give it an int8 0"
    elif zero.dtype != np.int8:
        yield f"{_named(node)} has {zero.dtype} values, not int8: quantise to signed int8"
    elif np.any(zero != 0):
        yield f"{_named(node)} is asymmetric: its zero point is not 0; quantise symmetrically"


def _check_scale(node: onnx.NodeProto, constants: _Constants) -> Iterator[str]:
    known = constants.get(node.input[1])
    if known is None:
        yield f"{_named(node)} has no constant scale: quantise with ranges measured beforehand"
        return
    scale = np.asarray(known, np.float64)
    if not np.isfinite(scale).all():
        yield f"{_named(node)} has a scale that is not finite: look for NaN in its range"
    elif np.any(scale <= 0):
        yield f"{_named(node)} has a scale that is not positive: look for an empty range"


def _check_channels(
    node: onnx.NodeProto, constants: _Constants, readers: Mapping[str, list[onnx.NodeProto]]
) -> Iterator[str]:
    """Weights may have a scale for each output channel, activations have one in all."""
    scale, weights = constants.get(node.input[1]), constants.get(node.input[0])
    if weights is not None and weights.ndim == 0:
        yield f"{_named(node)} gives a scalar in int8, which TensorRT refuses: keep it float"
    if scale is None or scale.size == 1:
        return
    if weights is None:
        yield f"{_named(node)} has {scale.size} scales for an activation: quantise it per tensor"
        return
    axis = _axis(node) % weights.ndim
    if weights.shape[axis] != scale.size:
        channels = weights.shape[axis]
        yield f"{_named(node)} has {scale.size} scales for {channels} channels of axis {axis}"
        return
    for reader in readers.get(node.output[0], []):
        known = _OUTPUT_AXES.get(reader.op_type, (axis,))
        if axis not in known:
            expected = " or ".join(map(str, known))
            yield (
                f"{_named(node)} has scales along axis {axis} of the weights of {_named(reader)}: "
                f"quantise them along axis {expected}, the output channels"
            )


def _axis(node: onnx.NodeProto) -> int:
    axes = [attribute.i for attribute in node.attribute if attribute.name == "axis"]
    return int(axes[0]) if axes else _DEFAULT_AXIS


def _named(node: onnx.NodeProto) -> str:
    return f"node {(node.name or node.output[0])!r} ({node.op_type})"
