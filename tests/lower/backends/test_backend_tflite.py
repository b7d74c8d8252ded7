"""TensorFlow Lite files of every precision: contract, types of their operators, ranges."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import timm
import torch
from numpy.typing import NDArray
from torch import nn

from edgekd.errors import ArtefactError, InputError
from edgekd.lower.backends import get_backend
from edgekd.lower.backends._tflite_layers import scopes_of
from edgekd.lower.backends._tflite_ranges import activation_ranges
from edgekd.lower.backends.tflite import _float_model
from edgekd.lower.graph import DeployGraph, deploy_graph
from edgekd.lower.precision import LADDER, Variant
from edgekd.runtime.sessions import open_session

SIZE, CLASSES = 32, 4  # as the fixture `student` is made
MEAN, STD = (0.7, 0.55, 0.5), (0.2, 0.2, 0.2)
BACKEND = get_backend("tflite")
MIXED = ("stem.0", "blocks.1.body.0", "head.2")
LAYERS = (
    "stem.0",
    "blocks.0.body.0",
    "blocks.0.body.3",
    "blocks.1.body.0",
    "blocks.1.body.3",
    "head.2",
)
WEIGHTED = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}

Lowered = Callable[[str], Path]


def slow(*values: object) -> object:
    """A case of `make slow`."""
    return pytest.param(*values, marks=pytest.mark.slow)


def variant(precision: str) -> Variant:
    return Variant(precision=precision, float_layers=MIXED if precision == "int8-mixed" else ())


def lower(graph: DeployGraph, wanted: Variant, images: Any, out: Path) -> Path:
    BACKEND.lower(graph, SIZE, wanted, images, out)
    return out / BACKEND.model_file


@pytest.fixture(scope="module")
def lowered(student: Any, tmp_path_factory: pytest.TempPathFactory) -> Lowered:
    """The student's file of a precision; each is made once."""
    done: dict[str, Path] = {}

    def file(precision: str) -> Path:
        if precision not in done:
            out = tmp_path_factory.mktemp(precision)
            done[precision] = lower(student.graph, variant(precision), student.calibration, out)
        return done[precision]

    return file


def test_every_precision_of_the_ladder_is_offered() -> None:
    assert sorted(BACKEND.precisions) == sorted(LADDER)


@pytest.mark.parametrize(
    ("precision", "tolerance"),
    [("fp32", 1e-5), ("fp16", 2e-3), ("int8-weights", 0.03), ("int8-mixed", 0.1), ("int8", 0.1)],
)
def test_file_keeps_contract_and_judgement(
    precision: str, tolerance: float, lowered: Lowered, student: Any
) -> None:
    session = open_session("tflite", lowered(precision), threads=1)
    assert (session.input_shape, session.classes) == ((1, SIZE, SIZE, 3), CLASSES)
    logits = np.concatenate([session.run(image[None]) for image in student.images])
    assert logits.dtype == np.float32
    difference = np.sqrt(((logits - student.logits) ** 2).mean()) / student.logits.std()
    assert difference < tolerance
    assert (logits.argmax(1) == student.logits.argmax(1)).mean() >= 0.95
    # XNNPACK takes all of it, whatever the precision.
    assert session.facts["xnnpack_partitions"] == 1


def test_precisions_differ_and_are_ordered(lowered: Lowered, student: Any) -> None:
    """Coarser weights, coarser answers: no variant is another one under a new name."""
    errors = [error_of(lowered(name), student) for name in ("fp32", "fp16", "int8-weights", "int8")]
    assert errors == sorted(errors)
    assert len(set(errors)) == 4
    assert errors[-1] > error_of(lowered("int8-mixed"), student)


def error_of(file: Path, student: Any) -> float:
    session = open_session("tflite", file, threads=1)
    logits = np.concatenate([session.run(image[None]) for image in student.images])
    return float(((logits - student.logits) ** 2).mean())


@pytest.mark.parametrize(
    ("precision", "weights", "arithmetic"),
    [
        ("fp32", "float32", "float32"),
        ("fp16", "float16", "float32"),
        ("int8-weights", "int8", "float32"),
        ("int8", "int8", "int8"),
    ],
)
def test_weights_and_arithmetic(
    precision: str, weights: str, arithmetic: str, lowered: Lowered
) -> None:
    operators = [one for one in read(lowered(precision)) if one.kind in WEIGHTED]
    assert len(operators) == len(LAYERS)
    assert {(one.weight, one.arithmetic) for one in operators} == {(weights, arithmetic)}


def test_exactly_the_named_layers_are_float(lowered: Lowered) -> None:
    operators = read(lowered("int8-mixed"))
    weighted = [one for one in operators if one.kind in WEIGHTED]
    # A chain of layers: the file has them in the network's order.
    found = {name: one.arithmetic for name, one in zip(LAYERS, weighted, strict=True)}
    assert found == {name: "float32" if name in MIXED else "int8" for name in LAYERS}
    assert all(one.weight == one.arithmetic for one in weighted)


def test_float_stem_is_not_rounded_before_its_padding(lowered: Lowered) -> None:
    kinds = [one.kind for one in read(lowered("int8-mixed"))]
    assert kinds[:6] == ["CAST", "MUL", "ADD", "PAD", "CONV_2D", "QUANTIZE"]


@pytest.mark.parametrize("layer", LAYERS)
def test_one_float_layer(layer: str, student: Any, tmp_path: Path) -> None:
    wanted = Variant(precision="int8-mixed", float_layers=(layer,))
    file = lower(student.graph, wanted, student.calibration, tmp_path)
    weighted = [one.arithmetic for one in read(file) if one.kind in WEIGHTED]
    assert weighted == ["float32" if name == layer else "int8" for name in LAYERS]


@pytest.mark.parametrize("layer", ["stem.1", "blocks", "conv_stem"])
def test_names_that_are_no_layer(layer: str, student: Any, tmp_path: Path) -> None:
    wanted = Variant(precision="int8-mixed", float_layers=("stem.0", layer))
    with pytest.raises(InputError, match=f"no convolution or linear layer '{layer}'"):
        lower(student.graph, wanted, student.calibration, tmp_path)
    assert not list(tmp_path.iterdir())


def test_layer_without_an_operator_is_refused(student: Any) -> None:
    with pytest.raises(ArtefactError, match=r"no operator .* has the weights of 'stem.0'"):
        scopes_of(float_content(student), renewed(student, "stem.0"), ["stem.0"])


def test_layers_with_the_same_weights_are_refused_unless_both_are_named(student: Any) -> None:
    network = renewed(student, "blocks.1.body.0")
    network.get_submodule("blocks.1.body.0").weight.data.copy_(
        -2 * network.get_submodule("blocks.0.body.0").weight
    )
    content = float_content(student)
    with pytest.raises(ArtefactError, match=r"'blocks.0.body.0' and 'blocks.1.body.0'"):
        scopes_of(content, network, ["blocks.0.body.0"])
    assert len(scopes_of(content, network, ["blocks.0.body.0", "blocks.1.body.0"])) == 1


def float_content(student: Any) -> bytes:
    return _float_model(student.graph, SIZE)


def renewed(student: Any, layer: str) -> nn.Module:
    """A copy of the student with new weights in one layer."""
    network = type(student.network)()
    network.load_state_dict(student.network.state_dict())
    network.get_submodule(layer).reset_parameters()
    return network


def noise() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (8, SIZE, SIZE, 3), dtype=np.uint8)


def timm_graph(name: str) -> DeployGraph:
    """A network of timm with random weights, also where its start has zeros."""
    torch.manual_seed(0)
    network = timm.create_model(name, num_classes=CLASSES)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1, 0.3)
            module.running_var.uniform_(0.5, 2)
    return deploy_graph(network, MEAN, STD)


def assert_layers_are_told_apart(graph: DeployGraph, count: int) -> None:
    kinds, network = (nn.Conv2d, nn.Linear), graph.network
    layers = [name for name, module in network.named_modules() if isinstance(module, kinds)]
    scopes = {scopes_of(_float_model(graph, SIZE), network, [name])[-1] for name in layers}
    assert len(scopes) == len(layers) == count


@pytest.mark.slow
def test_residual_branches_are_told_apart(tmp_path: Path) -> None:
    """In the file the shortcut's convolution comes after those of the other branch."""
    graph = timm_graph("resnet10t")
    assert_layers_are_told_apart(graph, 15)
    shortcut = "layer3.0.downsample.1"
    wanted = Variant(precision="int8-mixed", float_layers=(shortcut, "fc"))
    file = lower(graph, wanted, noise(), tmp_path)
    kept = [one.weights for one in read(file) if one.kind in WEIGHTED and one.weight == "float32"]
    assert sorted(array.shape for array in kept) == [(4, 512), (256, 1, 1, 128)]
    filters = kept[0].reshape(256, 128)
    known = graph.network.get_submodule(shortcut).weight.numpy().reshape(256, 128)
    cosines = (filters * known).sum(1) / np.linalg.norm(filters, axis=1)
    assert np.allclose(np.abs(cosines / np.linalg.norm(known, axis=1)), 1, atol=1e-5)


@pytest.mark.slow
def test_hard_swish_is_a_concern_for_a_reason(tmp_path: Path) -> None:
    graph = timm_graph("mobilenetv3_small_050")
    (concern,) = BACKEND.concerns(graph.network)
    assert concern.startswith("19 hard-swish layers cut the int8 file in pieces")
    file = lower(graph, Variant(precision="int8"), noise(), tmp_path)
    assert open_session("tflite", file).facts["xnnpack_partitions"] == 20
    assert_layers_are_told_apart(graph, 54)


@pytest.mark.parametrize(
    ("activation", "partitions", "said"),
    [
        (nn.SiLU, 1, None),
        (nn.Hardswish, 4, "3 hard-swish layers cut"),
        slow(timm.layers.activations.HardSwish, 4, "3 hard-swish layers cut"),
        slow(nn.GELU, 4, "3 GELU layers cut"),
        slow(nn.PReLU, 4, "3 PReLU layers cut"),
    ],
)
def test_concerns_are_said_where_the_file_is_cut(
    activation: type[nn.Module],
    partitions: int,
    said: str | None,
    student: Any,
    tmp_path: Path,
) -> None:
    network = with_activation(type(student.network)(), activation).eval()
    concerns = BACKEND.concerns(network)
    assert [text.startswith(said or "?") for text in concerns] == ([True] if said else [])
    graph = deploy_graph(network, MEAN, STD)
    file = lower(graph, Variant(precision="int8"), noise(), tmp_path)
    assert open_session("tflite", file).facts["xnnpack_partitions"] == partitions


@pytest.mark.parametrize(
    ("activation", "concern"),
    [
        (timm.layers.activations.HardSwish, "3 hard-swish layers cut"),
        (nn.GELU, "3 GELU layers cut"),
        (nn.PReLU, "3 PReLU layers cut"),
    ],
)
def test_each_activation_that_cuts_the_file_is_a_concern(
    activation: type[nn.Module], concern: str, student: Any
) -> None:
    (text,) = BACKEND.concerns(with_activation(type(student.network)(), activation))
    assert text.startswith(concern)


def test_a_relu6_student_gives_no_concern(student: Any) -> None:
    assert BACKEND.concerns(student.network) == ()


def test_one_layer_is_told_in_the_singular() -> None:
    (concern,) = BACKEND.concerns(nn.Sequential(nn.Conv2d(3, 4, 1), nn.GELU()))
    assert concern.startswith("1 GELU layer cuts")


def with_activation(network: nn.Module, activation: type[nn.Module]) -> nn.Module:
    for name, child in network.named_children():
        if isinstance(child, nn.ReLU6):
            setattr(network, name, activation())
        else:
            with_activation(child, activation)
    return network


def test_ranges_are_the_extremes_of_all_images(student: Any) -> None:
    ranges = activation_ranges(float_content(student), student.images)
    (logits,) = [name for name in ranges if "output_0" in name]
    assert ranges[logits]["min"] == pytest.approx(student.logits.min(), abs=1e-4)
    assert ranges[logits]["max"] == pytest.approx(student.logits.max(), abs=1e-4)


def test_infinite_padding_is_no_range() -> None:
    """A padded max pooling writes -inf, which no int8 scale can hold."""
    graph = deploy_graph(nn.Sequential(nn.MaxPool2d(3, 2, 1), *PLAIN), MEAN, STD)
    ranges = activation_ranges(_float_model(graph, SIZE), noise())
    assert all(np.isfinite(one).all() for found in ranges.values() for one in found.values())


PLAIN = (nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def test_ranges_are_measured_once_for_all_variants(
    student: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = noise()
    runs = counted_invocations(monkeypatch)
    first = lower(student.graph, Variant(precision="int8"), images, tmp_path).read_bytes()
    assert len(runs) == 8
    mixed = Variant(precision="int8-mixed", float_layers=MIXED)
    assert lower(student.graph, mixed, images.copy(), tmp_path).read_bytes() != first
    assert lower(student.graph, Variant(precision="int8"), images, tmp_path).read_bytes() == first
    assert len(runs) == 8


def counted_invocations(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Grows by one for each inference."""
    from ai_edge_litert.interpreter import Interpreter

    runs: list[None] = []
    invoke = Interpreter.invoke

    def counted(self: Interpreter) -> None:
        runs.append(None)
        invoke(self)

    monkeypatch.setattr(Interpreter, "invoke", counted)
    return runs


def test_ranges_are_not_those_of_other_images_or_another_network(student: Any) -> None:
    content, images = float_content(student), noise()
    first = activation_ranges(content, images)
    images[0] = 255  # the same array, other images
    second = activation_ranges(content, images)
    assert set(first) == set(second)
    assert different(first, second)
    graph = deploy_graph(renewed(student, "stem.0"), MEAN, STD)
    assert different(second, activation_ranges(_float_model(graph, SIZE), images))


def different(one: dict[str, Any], other: dict[str, Any]) -> bool:
    shared = one.keys() & other.keys()
    assert len(shared) > 5
    return any((one[name]["max"] != other[name]["max"]).any() for name in shared)


class Operator(NamedTuple):
    """An operator of a file, with its weights as stored and the type of its result."""

    kind: str
    weights: NDArray[Any]
    arithmetic: str

    @property
    def weight(self) -> str:
        return self.weights.dtype.name


def read(file: Path) -> list[Operator]:
    """Operators in their order, without XNNPACK, which would put its own in their place."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        str(file), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    interpreter.allocate_tensors()
    types = {one["index"]: np.dtype(one["dtype"]) for one in interpreter.get_tensor_details()}
    operators = interpreter._get_ops_details()
    # Small weights of float operators are dequantised by an operator of their own.
    stored = {one["outputs"][0]: one["inputs"][0] for one in operators}
    found = []
    for one in operators:
        weights = np.empty(0)
        if one["op_name"] in WEIGHTED:
            index = one["inputs"][1]
            weights = interpreter.get_tensor(stored.get(index, index))
        found.append(Operator(one["op_name"], weights, types[one["outputs"][0]].name))
    return found
