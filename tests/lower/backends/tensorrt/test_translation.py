"""Each operator in PyTorch gives what ONNX Runtime gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from edgekd.errors import InputError  # noqa: E402
from edgekd.lower.backends.tensorrt.program import program_of  # noqa: E402
from edgekd.lower.backends.tensorrt.translation import TRANSLATIONS  # noqa: E402

SHAPE = (1, 6, 8, 3)
RANDOM = np.random.default_rng(0)
IMAGE = RANDOM.integers(0, 256, SHAPE).astype(np.uint8)


class Case(NamedTuple):
    """A node behind the image as float [1, 3, 6, 8] in -1..1; constants are its further inputs.

    `constants` are arrays; None for an input that is absent. `before` are inputs in front of it.
    """

    operator: str
    constants: tuple[Any, ...] = ()
    attributes: dict[str, Any] = {}  # noqa: RUF012
    before: tuple[Any, ...] = ()
    outputs: int = 1
    double: bool = False  # the features are the first two inputs

    def __str__(self) -> str:
        return "-".join([self.operator, *(f"{k}={v}" for k, v in self.attributes.items())])


def weights(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(0, 0.5, shape).astype(np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


HALF, POSITIVE = np.float32(0.5), np.abs(weights(3, 1, 1)) + np.float32(0.1)
UNARY = ("Abs", "Neg", "Exp", "Sin", "Cos", "Erf", "Tanh", "Sigmoid", "Relu", "Softplus",
         "Softsign", "Floor", "Ceil", "Round", "Sign", "Identity", "Dropout", "HardSwish", "Mish",
         "Selu", "Elu", "LeakyRelu", "HardSigmoid", "GlobalAveragePool", "GlobalMaxPool",
         "Flatten", "Transpose", "Softmax", "LogSoftmax", "ReduceMean", "Squeeze")  # fmt: skip
CASES = [
    *(Case(name) for name in UNARY),
    Case("Elu", attributes={"alpha": 0.3}),
    Case("LeakyRelu", attributes={"alpha": 0.2}),
    Case("HardSigmoid", attributes={"alpha": 1 / 6, "beta": 0.5}),
    Case("PRelu", (POSITIVE,)),
    Case("Clip", (np.float32(-0.2), HALF)),
    Case("Clip", (None, HALF)),
    Case("Add", (weights(3, 1, 1),)), Case("Add", double=True), Case("Add", before=(HALF,)),
    Case("Sub", before=(HALF,)), Case("Sub", (HALF,)), Case("Mul", (weights(1, 3, 1, 1),)),
    Case("Div", (POSITIVE,)), Case("Pow", (np.float32(2),)),
    Case("Min", (HALF,)), Case("Max", (weights(8), HALF)), Case("Sum", (weights(8), weights(6, 1))),
    Case("Conv", (weights(4, 3, 3, 3), weights(4)), {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
    Case("Conv", (weights(6, 1, 3, 3),), {"group": 3, "dilations": [2, 2]}),
    Case("Conv", (weights(4, 3, 3, 3), weights(4)), {"strides": [2, 2], "pads": [0, 1, 1, 2]}),
    Case("MatMul", (weights(8, 5),)), Case("MatMul", (), {}, (weights(5, 6),)),
    Case("BatchNormalization", (weights(3), weights(3), weights(3), np.full(3, HALF))),
    Case("InstanceNormalization", (weights(3), weights(3))),
    Case("LayerNormalization", (weights(8), weights(8))),
    Case("LayerNormalization", (weights(6, 8),), {"axis": 2, "epsilon": 1e-3}),
    Case("MaxPool", (), {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    Case("MaxPool", (), {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [0, 0, 1, 1]}),
    Case("MaxPool", (), {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
    Case("MaxPool", (), {"kernel_shape": [3, 3], "strides": [3, 3], "ceil_mode": 1}),
    Case("AveragePool", (), {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
    Case("AveragePool", (), {"kernel_shape": [3, 3], "strides": [3, 3], "ceil_mode": 1}),
    Case("AveragePool", (), {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
    Case("AveragePool", (), {"kernel_shape": [2, 3], "count_include_pad": 1,
                             "pads": [1, 1, 1, 1]}),
    *(Case(name, (ints(2, 3),), {"keepdims": 0})
      for name in ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL2")),
    Case("ReduceMean", (ints(-1),)),
    Case("Reshape", (ints(0, -1),)), Case("Reshape", (ints(1, 4, 36),)),
    Case("Flatten", attributes={"axis": 2}), Case("Transpose", (), {"perm": [0, 2, 3, 1]}),
    Case("Squeeze", (ints(0),)), Case("Unsqueeze", (ints(0, -1),)),
    Case("Concat", (weights(1, 2, 6, 8),), {"axis": 1}),
    Case("Split", (ints(1, 2),), {"axis": 1}, outputs=2),
    Case("Split", (), {"axis": 3, "num_outputs": 3}, outputs=3),
    Case("Slice", (ints(1), ints(2**62), ints(2), ints(2))),
    Case("Slice", (ints(0, 1), ints(1, 2))),
    Case("Gather", (np.array(1),), {"axis": 2}), Case("Gather", (ints(2, 0),), {"axis": 1}),
    Case("Gather", (np.array([[0, 5], [1, 1]]),), {"axis": -2}),
    Case("Expand", (ints(2, 1, 6, 8),)), Case("Tile", (ints(1, 2, 1, 1),)),
    Case("Pad", (ints(0, 0, 1, 0, 0, 0, 2, 3), HALF)),
    Case("Einsum", (weights(3, 5),), {"equation": "bchw,cd->bdhw"}),
    Case("Cast", (), {"to": TensorProto.FLOAT16}),
]  # fmt: skip


def model_of(case: Case) -> Any:
    """Image → float in -1..1, channels first → the node → float."""
    constants: dict[str, np.ndarray] = {
        "scale": np.float32(1 / 127.5), "one": np.float32(1),
    }  # fmt: skip

    def named(array: Any) -> str:
        if array is None:
            return ""
        name = f"given.{len(constants)}"
        constants[name] = np.asarray(array)
        return name

    nodes = [
        helper.make_node("Cast", ["image"], ["float"], "cast", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "scale"], ["scaled"], "scale"),
        helper.make_node("Sub", ["scaled", "one"], ["centred"], "centre"),
        helper.make_node("Transpose", ["centred"], ["x"], "layout", perm=[0, 3, 1, 2]),
    ]
    inputs = [*map(named, case.before), *(["x"] * (2 if case.double else 1))]
    inputs += map(named, case.constants)
    outputs = [f"y{index}" for index in range(case.outputs)]
    nodes.append(helper.make_node(case.operator, inputs, outputs, "it", **case.attributes))
    nodes.append(helper.make_node("Cast", [outputs[-1]], ["logits"], "back", to=TensorProto.FLOAT))
    return helper.make_model(
        helper.make_graph(
            nodes,
            "one node",
            [helper.make_tensor_value_info("image", TensorProto.UINT8, SHAPE)],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(array, name) for name, array in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )


def answer_of_onnx(model: Any) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    result: np.ndarray = session.run(None, {"image": IMAGE})[0]
    return result


def answer_of_torch(model: Any, folder: Path) -> np.ndarray:
    file = folder / "model.onnx"
    onnx.save(model, file)
    with torch.no_grad():
        result: np.ndarray = program_of(file).module()(torch.from_numpy(IMAGE)).numpy()
    return result


@pytest.mark.parametrize("case", CASES, ids=str)
def test_operators_give_what_onnx_runtime_gives(case: Case, tmp_path: Path) -> None:
    model = model_of(case)
    expected = answer_of_onnx(model)
    np.testing.assert_allclose(answer_of_torch(model, tmp_path), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("alpha", "transposed"), [(1.0, 1), (1.0, 0), (0.5, 1)])
def test_linear_layers(alpha: float, transposed: int, tmp_path: Path) -> None:
    weight = weights(5, 48) if transposed else weights(48, 5)
    model = model_of(Case("Gemm", (weight, weights(5)), {"alpha": alpha, "transB": transposed}))
    flat = helper.make_node("Reshape", ["x", "shape"], ["flat"], "flatten")
    model.graph.initializer.append(numpy_helper.from_array(ints(3, 48), "shape"))
    gemm = next(node for node in model.graph.node if node.op_type == "Gemm")
    gemm.input[0] = "flat"
    model.graph.node.insert(4, flat)
    expected = answer_of_onnx(model)
    np.testing.assert_allclose(answer_of_torch(model, tmp_path), expected, rtol=1e-4, atol=1e-5)


CONDITIONS = ("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual")
OF_BOOLEANS = ("And", "Or")


@pytest.mark.parametrize("operator", [*CONDITIONS, *OF_BOOLEANS, "Not"])
def test_conditions(operator: str, tmp_path: Path) -> None:
    """`Where` keeps the features where the condition holds."""
    nodes = [helper.make_node("Less", ["x", "limit"], ["less"], "less")]
    if operator in CONDITIONS:
        nodes.append(helper.make_node(operator, ["x", "limit"], ["holds"], "condition"))
    else:
        inputs = ["less"] if operator == "Not" else ["less", "less"]
        nodes.append(helper.make_node(operator, inputs, ["holds"], "condition"))
    nodes.append(helper.make_node("Where", ["holds", "x", "limit"], ["y"], "where"))
    model = model_of(Case("Identity"))
    model.graph.initializer.append(numpy_helper.from_array(np.float32(0.1), "limit"))
    at = next(i for i, node in enumerate(model.graph.node) if node.op_type == "Identity")
    model.graph.node[at].input[0] = "y"
    for node in reversed(nodes):
        model.graph.node.insert(at, node)
    expected = answer_of_onnx(model)
    np.testing.assert_allclose(answer_of_torch(model, tmp_path), expected)


@pytest.mark.parametrize("operator", ["Log", "Sqrt", "Reciprocal"])
def test_operators_of_positive_numbers(operator: str, tmp_path: Path) -> None:
    model = model_of(Case(operator))
    node = next(node for node in model.graph.node if node.op_type == operator)
    at = list(model.graph.node).index(node)
    model.graph.node.insert(at, helper.make_node("Exp", ["x"], ["positive"], "positive"))
    node.input[0] = "positive"
    expected = answer_of_onnx(model)
    np.testing.assert_allclose(answer_of_torch(model, tmp_path), expected, rtol=1e-4, atol=1e-5)


def test_every_translation_is_tried() -> None:
    tried = {case.operator for case in CASES} | {*CONDITIONS, *OF_BOOLEANS, "Not", "Where", "Gemm"}
    assert set(TRANSLATIONS) - tried == {"Log", "Sqrt", "Reciprocal"}


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (Case("Conv", (weights(4, 3, 3, 3),), {"auto_pad": "SAME_UPPER"}), "SAME_UPPER"),
        (Case("Slice", (ints(5), ints(0), ints(2), ints(-1))), "it goes backwards"),
        (Case("Pad", (ints(0, 0, 1, 1, 0, 0, 1, 1),), {"mode": "reflect"}), "mode 'reflect'"),
        (Case("Softmax", (), {"hue": 1}), "hue"),
    ],
    ids=str,
)
def test_what_has_no_translation_is_refused_with_its_node(
    case: Case, reason: str, tmp_path: Path
) -> None:
    onnx.save(model_of(case), tmp_path / "model.onnx")
    with pytest.raises(InputError, match=rf"node 'it' \({case.operator}\).*{reason}") as caught:
        program_of(tmp_path / "model.onnx")
    assert "leave --via out" in caught.value.hint


@pytest.mark.parametrize(("side", "rounded"), [(2, False), (3, True)])
@pytest.mark.parametrize("operator", ["AveragePool", "MaxPool"])
def test_pooling_rounds_up_only_where_it_makes_a_difference(
    operator: str, side: int, rounded: bool, tmp_path: Path
) -> None:
    """torch-tensorrt converts no pooling that rounds up."""
    attributes = {"kernel_shape": [side] * 2, "strides": [side] * 2, "ceil_mode": 1}
    onnx.save(model_of(Case(operator, (), attributes)), tmp_path / "model.onnx")
    graph = program_of(tmp_path / "model.onnx").graph
    (pool,) = (node for node in graph.nodes if "pool" in str(node.target))
    assert (True in pool.args) == rounded
