"""TensorRT's errors in words; those that TensorRT-RTX gives here come from itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekd.errors import EdgekdError
from edgekd.lower.backends.tensorrt.builder import build_engine
from edgekd.lower.backends.tensorrt.check import checker_versions
from edgekd.lower.backends.tensorrt.findings import findings_of, merged
from edgekd.lower.backends.tensorrt.library import load_tensorrt_rtx

needs_rtx = pytest.mark.skipif(
    not checker_versions(), reason="pip install 'edgekd[tensorrt-check]'"
)


def model_of(
    nodes: list[onnx.NodeProto], shape: tuple[int | str, ...] = (1, 4, 4, 3), **constants: object
) -> onnx.ModelProto:
    """image → cast → the nodes, from `float` to `answer`."""
    first = helper.make_node("Cast", ["image"], ["float"], "cast", to=TensorProto.FLOAT)
    graph = helper.make_graph(
        [first, *nodes],
        "planted",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def pair(zero: int = 0, scale: float = 1.0) -> onnx.ModelProto:
    nodes = [
        helper.make_node("QuantizeLinear", ["float", "scale", "zero"], ["q"], "quantise"),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["answer"], "dequantise"),
    ]
    return model_of(nodes, scale=np.float32(scale), zero=np.int8(zero))


def weights_with_scales(number: int) -> onnx.ModelProto:
    nodes = [
        helper.make_node("Transpose", ["float"], ["nchw"], "layout", perm=[0, 3, 1, 2]),
        helper.make_node("DequantizeLinear", ["wq", "s", "z"], ["w"], "weights", axis=0),
        helper.make_node("Conv", ["nchw", "w"], ["answer"], "conv"),
    ]
    zeros = np.zeros(number, np.int8)
    return model_of(
        nodes, wq=np.ones((2, 3, 1, 1), np.int8), s=np.ones(number, np.float32), z=zeros
    )


def product(factor: np.generic | np.ndarray) -> onnx.ModelProto:
    return model_of([helper.make_node("Mul", ["float", "f"], ["answer"], "product")], f=factor)


def one(kind: str, shape: tuple[int | str, ...] = (1, 4, 4, 3)) -> onnx.ModelProto:
    return model_of([helper.make_node(kind, ["float"], ["answer"], "strange")], shape)


def int8_scalar() -> onnx.ModelProto:
    nodes = [
        helper.make_node("DequantizeLinear", ["one", "scale", "zero"], ["1"], "scalar"),
        helper.make_node("Add", ["float", "1"], ["answer"], "add"),
    ]
    return model_of(nodes, one=np.int8(127), scale=np.float32(1 / 127), zero=np.int8(0))


def early_transpose() -> onnx.ModelProto:
    model = model_of([helper.make_node("Relu", ["float"], ["answer"], "relu")])
    layout = helper.make_node("Transpose", ["image"], ["turned"], "layout", perm=[0, 3, 1, 2])
    model.graph.node.insert(0, layout)
    model.graph.node[1].input[0] = "turned"
    return model


@needs_rtx
@pytest.mark.parametrize(
    ("model", "finding"),
    [
        (
            early_transpose(),
            "node 'layout' (Transpose) takes the uint8 image: cast it to float32 first",
        ),
        (
            pair(zero=-3),
            "node 'quantise' (QuantizeLinear) is asymmetric: its zero point is not 0; quantise "
            "symmetrically",
        ),
        (
            pair(scale=0.0),
            "node 'quantise' (QuantizeLinear) has a scale that is not positive: look for an empty "
            "range",
        ),
        (
            weights_with_scales(3),
            "node 'weights' (DequantizeLinear) has 3 scales for 2 output channels: quantise once "
            "more",
        ),
        (
            product(np.float16(2)),
            "node 'product' (Mul) mixes Float and Half: cast one of them to the type of the other",
        ),
        (
            product(np.ones(5, np.float32)),
            "node 'product' (Mul) has inputs whose shapes do not fit: export the student again",
        ),
        (
            one("Det", (1, 4, 3, 3)),
            "node 'strange' (Det) is an operator that TensorRT lacks: write it with others",
        ),
        (
            one("Invented"),
            "node 'strange' (Invented) is an operator that TensorRT lacks: write it with others",
        ),
        (
            int8_scalar(),
            "the network has 'one', an int8 constant in the wrong place: keep it float",
        ),
        (
            one("Relu", ("batch", 4, 4, 3)),
            "the network has a dynamic shape: export for one image of fixed size",
        ),
    ],
)
def test_errors_of_tensorrt_in_words(model: onnx.ModelProto, finding: str, tmp_path: Path) -> None:
    file = tmp_path / "planted.onnx"
    onnx.save(model, file)
    with pytest.raises(EdgekdError) as caught:
        build_engine(file, tmp_path / "e", trt=load_tensorrt_rtx(), compute_capabilities=("SM86",))
    assert findings_of(caught.value.message) == (finding,)


@pytest.mark.parametrize(
    ("message", "findings"),
    [
        (  # TensorRT 10 on a device
            "TensorRT could not build model.onnx: Error Code 10: Internal Error (Could not find "
            "any implementation for node blocks.0/conv + relu.)",
            (
                "node 'blocks.0/conv' has no kernel on this GPU: leave the layer in float32, or "
                "replace it",
            ),
        ),
        (
            "TensorRT cannot parse model.onnx: node a (Conv): something new; node b/c (Det): false",
            (
                "node 'a' (Conv): TensorRT says 'something new'",
                "node 'b/c' (Det) is an operator that TensorRT lacks: write it with others",
            ),
        ),
        (
            "TensorRT could not build model.onnx: it gave no reason",
            ("the network: TensorRT says 'it gave no reason'",),
        ),
        (
            "TensorRT cannot parse m.onnx: node a (Conv): Assertion failed: x > 0 In f at "
            "/_src/a.cpp:7",
            ("node 'a' (Conv): TensorRT says 'Assertion failed: x > 0'",),
        ),
    ],
)
def test_other_errors_are_quoted_with_their_node(message: str, findings: tuple[str, ...]) -> None:
    assert findings_of(message) == findings


def test_a_node_that_the_rules_name_is_not_named_twice() -> None:
    lint = ["node 'a' (Det): TensorRT lacks this operator", "opset 24 is not within 13..20"]
    tool = [
        "node 'a' (Det) is an operator that TensorRT lacks",
        "node 'b' (Mul) mixes",
        "node 'b' (Mul) mixes",
    ]
    assert merged(lint, tool) == (*lint, "node 'b' (Mul) mixes")
