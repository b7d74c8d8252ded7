"""A small quantised model that TensorRT takes, and how it is spoilt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

__all__ = ["Change", "good_model", "save", "set_constant"]


Change = Callable[[onnx.ModelProto], None]


def good_model() -> onnx.ModelProto:
    """image → cast → transpose → Q/DQ → convolution → mean: logits [1, 2]."""
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], "cast", to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["nchw"], "layout", perm=[0, 3, 1, 2]),
        helper.make_node("QuantizeLinear", ["nchw", "scale", "zero"], ["q"], "quantise"),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["dq"], "dequantise"),
        helper.make_node("Conv", ["dq", "weight"], ["features"], "conv"),
        helper.make_node("ReduceMean", ["features", "axes"], ["logits"], "mean", keepdims=0),
    ]
    constants = {
        "scale": np.float32(1.0),
        "zero": np.int8(0),
        "weight": np.ones((2, 3, 1, 1), np.float32),
        "axes": np.array([2, 3]),
    }
    graph = helper.make_graph(
        nodes,
        "good",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 4, 4, 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 2])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def set_constant(model: onnx.ModelProto, name: str, value: np.generic) -> None:
    for tensor in model.graph.initializer:
        if tensor.name == name:
            tensor.CopyFrom(numpy_helper.from_array(np.asarray(value), name))


def save(model: onnx.ModelProto, folder: Path) -> Path:
    file = folder / "model.onnx"
    onnx.save(model, file)
    return file
