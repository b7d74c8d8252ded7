"""Bias correction in OpenVINO's models: see `edgekd.lower.int8.bias_correction`.

What NNCF makes of the weights is read from its model instead of predicted: it keeps most weights,
but not those of depthwise convolutions, within seven bits, and raises the scale of weak channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgekd.lower.int8.bias_correction import corrected_bias

if TYPE_CHECKING:
    import onnx

__all__ = ["correct_biases"]


def correct_biases(
    model: Any, exported: onnx.ModelProto, means: Mapping[str, NDArray[Any]]
) -> None:
    """Let the biases of NNCF's `model` make up for its rounded weights, in place.

    Args:
        model: Of NNCF; layers whose weights are float are left alone.
        exported: The float ONNX that it was made of.
        means: Mean inputs of layers as `corrected_bias` takes them, by the name of the node.
    """
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in exported.graph.initializer}
    sums = _sums(model)
    for node in exported.graph.node:
        added = sums.get(node.output[0])
        if node.name not in means or added is None:
            continue
        weight = numpy_helper.to_array(constants[node.input[1]])
        rounded = _rounded(added.input_value(0).get_node())
        if rounded is None:
            continue
        _set_bias(added, weight, rounded.reshape(weight.shape), means[node.name])


def _sums(model: Any) -> dict[str, Any]:
    """The operation that adds the bias of a layer, by the name of ONNX's tensor behind it."""
    return {
        name: operation
        for operation in model.get_ordered_ops()
        if operation.get_type_name() == "Add"
        and operation.input_value(1).get_node().get_type_name() == "Constant"
        for name in operation.output(0).get_names()
    }


def _rounded(layer: Any) -> NDArray[np.float64] | None:
    """The weights of an operation as they are computed with; None where they are not integers."""
    if len(layer.inputs()) != 2:
        return None
    scaled = layer.input_value(1).get_node()
    if scaled.get_type_name() != "Multiply":
        return None
    integers = scaled.input_value(0).get_node().input_value(0).get_node()
    scale = scaled.input_value(1).get_node()
    rounded: NDArray[np.float64] = integers.data.astype(np.float64) * scale.data
    return rounded


def _set_bias(added: Any, weight: NDArray[Any], rounded: NDArray[Any], mean: NDArray[Any]) -> None:
    from openvino import opset13

    known = added.input_value(1).get_node().data
    groups = len(mean) // weight.shape[1]  # len: channels of the input
    bias = corrected_bias(weight, known.ravel(), mean, rounded=rounded, groups=groups)
    constant = opset13.constant(bias.reshape(known.shape))
    added.input(1).replace_source_output(constant.output(0))
