"""The lint finds what TensorRT refuses, and names the node."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekd.errors import ArtefactError
from edgekd.lower.backends.tensorrt.lint import check_onnx

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


def asymmetric(model: onnx.ModelProto) -> None:
    set_constant(model, "zero", np.int8(-5))


def unsigned(model: onnx.ModelProto) -> None:
    set_constant(model, "zero", np.uint8(0))


def without_zero_point(model: onnx.ModelProto) -> None:
    for node in model.graph.node[2:4]:
        del node.input[2]


def transposed_first(model: onnx.ModelProto) -> None:
    cast, layout = model.graph.node[0], model.graph.node[1]
    layout.input[0], layout.output[0] = "image", "turned"
    cast.input[0], cast.output[0] = "turned", "nchw"
    swapped = [layout, cast, *model.graph.node[2:]]
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in swapped]
    del model.graph.node[:]
    model.graph.node.extend(copies)


def cast_to_half(model: onnx.ModelProto) -> None:
    model.graph.node[0].attribute[0].i = TensorProto.FLOAT16
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.float16(1), "scale"))
    set_constant(model, "weight", np.ones((2, 3, 1, 1), np.float16))
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT16


def dynamic_batch(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "batch"


def float_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT


def new_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 24


def foreign_operator(model: onnx.ModelProto) -> None:
    model.graph.node[4].domain = "com.example"
    model.opset_import.append(helper.make_opsetid("com.example", 1))


def behind(kind: str, **attributes: object) -> Change:
    """Put a node of that operator behind the layout change."""

    def change(model: onnx.ModelProto) -> None:
        node = helper.make_node(kind, ["nchw"], ["strange"], "strange", **attributes)
        model.graph.node.insert(2, node)
        model.graph.node[3].input[0] = "strange"

    return change


def with_scale(*values: float) -> Change:
    def change(model: onnx.ModelProto) -> None:
        many = len(values) > 1
        set_constant(model, "scale", np.float32(values if many else values[0]))
        set_constant(model, "zero", np.zeros(len(values) if many else (), np.int8))

    return change


def in_double(model: onnx.ModelProto) -> None:
    model.graph.node[0].attribute[0].i = TensorProto.DOUBLE
    set_constant(model, "weight", np.ones((2, 3, 1, 1), np.float64))
    model.graph.node[4].input[0] = "nchw"
    del model.graph.node[2:4]
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.DOUBLE


def int8_into_conv(model: onnx.ModelProto) -> None:
    model.graph.node[4].input[0] = "q"
    del model.graph.node[3]


def quantised_weights(axis: int, scales: int) -> Change:
    """int8 weights [2, 3, 1, 1] with a scale for each channel of an axis."""

    def change(model: onnx.ModelProto) -> None:
        constants = {
            "weight_q": np.ones((2, 3, 1, 1), np.int8),
            "weight_scale": np.ones(scales, np.float32),
            "weight_zero": np.zeros(scales, np.int8),
        }
        for name, value in constants.items():
            model.graph.initializer.append(numpy_helper.from_array(value, name))
        node = helper.make_node("DequantizeLinear", list(constants), ["dqw"], "weights", axis=axis)
        model.graph.node.insert(4, node)
        model.graph.node[5].input[1] = "dqw"

    return change


def int8_scalar(model: onnx.ModelProto) -> None:
    constants = {"one": np.int8(127), "one_scale": np.float32(1 / 127), "one_zero": np.int8(0)}
    for name, value in constants.items():
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    model.graph.node.insert(4, helper.make_node("DequantizeLinear", list(constants), ["1"], "one"))
    model.graph.node.insert(5, helper.make_node("Add", ["dq", "1"], ["more"], "add"))
    model.graph.node[6].input[0] = "more"


def save(model: onnx.ModelProto, folder: Path) -> Path:
    file = folder / "model.onnx"
    onnx.save(model, file)
    return file


def test_nothing_is_found_in_a_good_file(tmp_path: Path) -> None:
    assert check_onnx(save(good_model(), tmp_path)) == []


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (asymmetric, "node 'quantise' (QuantizeLinear) is asymmetric: its zero point is not 0"),
        (unsigned, "node 'quantise' (QuantizeLinear) has uint8 values, not int8"),
        (without_zero_point, "node 'dequantise' (DequantizeLinear) has no constant zero point"),
        (
            transposed_first,
            "node 'layout' (Transpose) takes the uint8 image: cast it to float32 first",
        ),
        (cast_to_half, "node 'cast' (Cast) takes the uint8 image: cast it to float32 first"),
        (cast_to_half, "output 'logits' is FLOAT16 [1, 2], not FLOAT [1, …]"),
        (dynamic_batch, "input 'image' is UINT8 ['?', 4, 4, 3], not UINT8 [1, S, S, 3]"),
        (dynamic_batch, "node 'conv' (Conv) has the dynamic shape FLOAT ['?', 2, 4, 4]"),
        (float_input, "input 'image' is FLOAT [1, 4, 4, 3]"),
        (new_opset, "opset 24 is not within 13..20"),
        (foreign_operator, "node 'conv' (Conv): operators of com.example are not ONNX's own"),
        (behind("Det"), "node 'strange' (Det): TensorRT lacks this operator"),
        (in_double, "node 'layout' (Transpose) takes DOUBLE, TensorRT only"),
        (in_double, "node 'conv' (Conv) takes DOUBLE, TensorRT only BFLOAT16/FLOAT/FLOAT16"),
        (int8_into_conv, "node 'conv' (Conv) takes INT8, TensorRT only"),
        (with_scale(0.0), "node 'quantise' (QuantizeLinear) has a scale that is not positive"),
        (with_scale(-1.0), "node 'dequantise' (DequantizeLinear) has a scale that is not positive"),
        (with_scale(np.inf), "node 'quantise' (QuantizeLinear) has a scale that is not finite"),
        (with_scale(np.nan), "node 'quantise' (QuantizeLinear) has a scale that is not finite"),
        (with_scale(1, 1, 1), "node 'quantise' (QuantizeLinear) has 3 scales for an activation"),
        (int8_scalar, "node 'one' (DequantizeLinear) gives a scalar in int8"),
        (
            quantised_weights(1, 3),
            "node 'weights' (DequantizeLinear) has scales along axis 1 of the weights of node "
            "'conv' (Conv): quantise them along axis 0",
        ),
        (
            quantised_weights(0, 3),
            "node 'weights' (DequantizeLinear) has 3 scales for 2 channels of axis 0",
        ),
    ],
)
def test_findings_name_the_node(change: Change, finding: str, tmp_path: Path) -> None:
    model = good_model()
    change(model)
    findings = check_onnx(save(model, tmp_path))
    assert any(found.startswith(finding) for found in findings), findings


def test_weights_with_a_scale_for_each_output_channel(tmp_path: Path) -> None:
    model = good_model()
    quantised_weights(0, 2)(model)
    assert check_onnx(save(model, tmp_path)) == []


def test_an_operator_that_onnx_lacks_is_named_with_its_node(tmp_path: Path) -> None:
    model = good_model()
    model.graph.node[4].op_type = "Convolve"
    with pytest.raises(ArtefactError, match=r"node 'conv' \(Convolve\): No Op registered"):
        check_onnx(save(model, tmp_path))


def test_damaged_file(tmp_path: Path) -> None:
    file = save(good_model(), tmp_path)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ArtefactError, match="not a valid ONNX file"):
        check_onnx(file)
    with pytest.raises(ArtefactError, match="not a valid ONNX file"):
        check_onnx(tmp_path / "absent.onnx")
