"""Bias correction of float TensorFlow Lite files, before they are quantised.

AI Edge Quantizer rounds symmetrically, a scale for each channel, with 127 for the largest weight.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekd.lower.backends._tflite_layers import WEIGHTED, GraphReader
from edgekd.lower.int8.bias_correction import Window, corrected_bias, rounded_weight

__all__ = ["OperatorWithBias", "operators_with_bias", "with_corrected_biases"]

_GREATEST = 127
_INPUT, _WEIGHT, _BIAS = range(3)
"""Positions among an operator's inputs."""


class OperatorWithBias(NamedTuple):
    """A convolution or linear layer with constant float weights and a constant float bias.

    Attributes:
        name: Name of the tensor that it writes.
        operator: The flatbuffer's object.
        weight: [O, I / groups, …].
        bias: [O].
        channels: I, the channels of its input.
        groups: Groups of channels; I for a depthwise convolution.
        window: Of a convolution; None for a linear layer.
    """

    name: str
    operator: Any
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    channels: int
    groups: int
    window: Window | None

    @property
    def input(self) -> int:
        """Index of its input tensor, whose last dimension are the channels."""
        return int(self.operator.inputs[_INPUT])


def operators_with_bias(reader: GraphReader) -> Iterator[OperatorWithBias]:
    """The operators of a file whose bias can be corrected, in their order.

    Those without a bias are left out, and depthwise convolutions with several filters a channel.
    """
    for operator in reader.operators:
        kind = reader.kind(operator)
        if kind not in WEIGHTED:
            continue
        weight = _float_constant(reader, operator, _WEIGHT)
        bias = _float_constant(reader, operator, _BIAS)
        if weight is None or bias is None:
            continue
        channels = int(reader.tensors[operator.inputs[_INPUT]].shape[-1])
        groups = 1
        if kind == "FULLY_CONNECTED":
            channels = weight.shape[1]  # it may flatten its input
        elif kind == "CONV_2D":
            groups = channels // weight.shape[-1]
            weight = np.moveaxis(weight, -1, 1)
        elif weight.shape[-1] == channels:
            groups = channels
            weight = np.moveaxis(weight, -1, 0)
        else:
            continue
        name = reader.name(operator.outputs[0])
        window = None if kind == "FULLY_CONNECTED" else _window(reader, operator, weight)
        yield OperatorWithBias(name, operator, weight, bias, channels, groups, window)


def with_corrected_biases(
    content: bytes, means: Mapping[str, NDArray[Any]], float_scopes: Collection[str]
) -> bytes:
    """The float file with a corrected bias in each operator that will be quantised.

    An operator without a mean keeps its bias.

    Args:
        content: The float file.
        means: Mean inputs of operators as `corrected_bias` takes them, by the name of the tensor
            that each writes.
        float_scopes: Scopes of the operators that stay in float; see `scopes_of`.

    Source: see `edgekd.lower.int8.bias_correction`.
    """
    reader = GraphReader(content)
    quantised = [
        each
        for each in operators_with_bias(reader)
        if each.name in means and reader.scope(each.operator) not in float_scopes
    ]
    for each in quantised:
        rounded = rounded_weight(each.weight, _GREATEST)
        bias = corrected_bias(
            each.weight, each.bias, means[each.name], rounded=rounded, groups=each.groups
        )
        _replace_bias(reader, each.operator, bias)
    return _written(reader) if quantised else content


def _window(reader: GraphReader, operator: Any, weight: NDArray[Any]) -> Window:
    """How the kernel of a convolution moves: `SAME` pads evenly, one zero more at the end."""
    from ai_edge_litert.schema_py_generated import Padding

    options = operator.builtinOptions
    kernel = weight.shape[2:]
    strides = (options.strideH, options.strideW)
    dilations = (options.dilationHFactor, options.dilationWFactor)
    zeros = (0, 0)
    if options.padding == Padding.SAME:
        sides = reader.tensors[operator.inputs[_INPUT]].shape[1:3]
        zeros = tuple(
            max((-(-side // stride) - 1) * stride + (size - 1) * dilation + 1 - side, 0)
            for side, size, stride, dilation in zip(sides, kernel, strides, dilations, strict=True)
        )
    before = tuple(int(count) // 2 for count in zeros)
    after = tuple(int(count) - first for count, first in zip(zeros, before, strict=True))
    return Window(kernel, strides, dilations, before, after)


def _float_constant(reader: GraphReader, operator: Any, place: int) -> NDArray[np.float32] | None:
    """The float constant that is an operator's input, if it has one in this place."""
    inputs = operator.inputs
    if place >= len(inputs) or inputs[place] < 0:
        return None
    values = reader.constant(inputs[place])
    return values if values is not None and values.dtype == np.float32 else None


def _replace_bias(reader: GraphReader, operator: Any, bias: NDArray[np.float32]) -> None:
    """Give an operator another bias; whoever shares its tensor or buffer keeps the former one."""
    index = int(operator.inputs[_BIAS])
    if sum(list(each.inputs).count(index) for each in reader.operators) > 1:
        tensor = copy.copy(reader.tensors[index])
        # The quantizer knows tensors by their names.
        tensor.name = f"{reader.name(index)}/{len(reader.tensors)}".encode()
        index = len(reader.tensors)
        reader.tensors.append(tensor)
        operator.inputs = [*operator.inputs[:_BIAS], index, *operator.inputs[_BIAS + 1 :]]
    tensor = reader.tensors[index]
    if sum(each.buffer == tensor.buffer for each in reader.tensors) > 1:
        reader.buffers.append(copy.copy(reader.buffers[tensor.buffer]))
        tensor.buffer = len(reader.buffers) - 1
    reader.buffers[tensor.buffer].data = bias.view(np.uint8)


def _written(reader: GraphReader) -> bytes:
    """The file as it is now, written as the quantizer writes its own."""
    from ai_edge_quantizer.model_modifier import ModelModifier

    return bytes(ModelModifier(reader.model).modify_model({}))
