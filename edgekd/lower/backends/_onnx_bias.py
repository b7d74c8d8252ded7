"""Bias correction in ONNX: see `edgekd.lower.int8.bias_correction`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgekd.lower.int8.bias_correction import (
    Window,
    corrected_bias,
    rounded_weight,
    window_means,
)

if TYPE_CHECKING:
    import onnx

__all__ = ["Means", "layers_with_bias", "mean_inputs", "with_corrected_biases"]

Means = dict[str, NDArray[Any]]
"""Mean input at each position of a layer's kernel [I, kernel…], by the name of its node."""


def layers_with_bias(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """The convolutions and linear layers with a bias.

    A linear layer of more than two dimensions becomes a MatMul and a sum, and is not among them.
    """
    constants = {tensor.name for tensor in model.graph.initializer}
    return [
        node
        for node in model.graph.node
        if _is_convolution(node) or _is_linear(node)
        if len(node.input) == 3 and constants.issuperset(node.input[1:])
    ]


def mean_inputs(node: onnx.NodeProto, mean: NDArray[Any]) -> NDArray[np.float32]:
    """The mean input at each position of a layer's kernel.

    Args:
        node: Of `layers_with_bias`.
        mean: Mean of its input over images [1, I, …].

    Returns:
        [I, kernel…] of a convolution, [I] of a linear layer.
    """
    if node.op_type == "Conv":
        given = {entry.name: list(entry.ints) for entry in node.attribute}
        kernel = given["kernel_shape"]
        ones = [1] * len(kernel)
        pads = given.get("pads") or [0] * 2 * len(kernel)
        window = Window(
            kernel=kernel,
            strides=given.get("strides") or ones,
            dilations=given.get("dilations") or ones,
            before=pads[: len(kernel)],
            after=pads[len(kernel) :],
        )
        return window_means(mean[0], window).astype(np.float32)
    return np.asarray(mean[0], np.float32)


def with_corrected_biases(
    model: onnx.ModelProto, means: Mapping[str, NDArray[Any]], *, greatest: int
) -> onnx.ModelProto:
    """`model`, in place, whose biases make up for the rounding of weights.

    Args:
        model: Float; its weights are about to be rounded.
        means: Mean inputs of the nodes whose weights will be.
        greatest: The greatest integer of a weight.
    """
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.name not in means:
            continue
        weight, bias = (numpy_helper.to_array(constants[name]) for name in node.input[1:])
        rounded = rounded_weight(weight, greatest)
        corrected = corrected_bias(
            weight, bias, means[node.name], rounded=rounded, groups=_groups(node)
        )
        # Of its own, because several nodes may share one bias.
        node.input[2] = f"{node.name}/corrected bias"
        model.graph.initializer.append(numpy_helper.from_array(corrected, node.input[2]))
    used = {name for node in model.graph.node for name in node.input}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    return model


def _is_convolution(node: onnx.NodeProto) -> bool:
    """Whether the node is a convolution that names its padding."""
    automatic = [entry.s for entry in node.attribute if entry.name == "auto_pad"]
    return node.op_type == "Conv" and automatic in ([], [b"NOTSET"])


def _is_linear(node: onnx.NodeProto) -> bool:
    """Whether the node is a linear layer of weights [O, I]."""
    attributes = {entry.name: entry for entry in node.attribute}
    return node.op_type == "Gemm" and "transB" in attributes and attributes["transB"].i == 1


def _groups(node: onnx.NodeProto) -> int:
    return next((int(entry.i) for entry in node.attribute if entry.name == "group"), 1)
