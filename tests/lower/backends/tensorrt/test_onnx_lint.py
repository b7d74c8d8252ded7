"""The lint finds what TensorRT refuses, and names the node."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from lint_models import Change, good_model, save, set_constant
from onnx import TensorProto, helper, numpy_helper

from edgekd.errors import ArtefactError
from edgekd.lower.backends.tensorrt.lint import check_onnx


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


def in_double(model: onnx.ModelProto) -> None:
    model.graph.node[0].attribute[0].i = TensorProto.DOUBLE
    set_constant(model, "weight", np.ones((2, 3, 1, 1), np.float64))
    model.graph.node[4].input[0] = "nchw"
    del model.graph.node[2:4]
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.DOUBLE


def int8_into_conv(model: onnx.ModelProto) -> None:
    model.graph.node[4].input[0] = "q"
    del model.graph.node[3]


def test_nothing_is_found_in_a_good_file(tmp_path: Path) -> None:
    assert check_onnx(save(good_model(), tmp_path)) == []


@pytest.mark.parametrize(
    ("change", "finding"),
    [
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
    ],
)
def test_findings_name_the_node(change: Change, finding: str, tmp_path: Path) -> None:
    model = good_model()
    change(model)
    findings = check_onnx(save(model, tmp_path))
    assert any(found.startswith(finding) for found in findings), findings


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
