"""Files of int8 from ONNX have biases that make up for the rounding of their weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from backends.lowered_files import (
    CLASSES,
    FLOAT_LAYERS,
    FROM_ONNX,
    MEAN,
    SIZE,
    STD,
    answers,
    variant,
)
from edgekd.lower.backends import get_backend
from edgekd.lower.backends._onnx_bias import layers_with_bias, with_corrected_biases
from edgekd.lower.backends._onnx_quantise import Images, measure, prepared_model
from edgekd.lower.backends.base import RangedBackend
from edgekd.lower.graph import DeployGraph, deploy_graph
from edgekd.lower.int8.bias_correction import rounded_weight
from edgekd.lower.int8.recorded_ranges import RecordedRanges


@pytest.fixture(scope="module")
def trained_in_int8(student: Any) -> DeployGraph:
    return deploy_graph(student.network, MEAN, STD, trained_in_int8=True)


def file_of(graph: DeployGraph, name: str, precision: str, student: Any, out: Path) -> Path:
    out.mkdir(exist_ok=True)
    get_backend(name).lower(graph, SIZE, variant(precision), student.calibration, out)
    return out


def coarse_network() -> nn.Module:
    """Each filter's first or middle weight is far above the others, which int8 rounds by much."""
    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.ReLU6()]
    for _ in range(3):
        depthwise = nn.Conv2d(16, 16, 3, padding=1, groups=16)
        layers += [depthwise, nn.ReLU6(), nn.Conv2d(16, 16, 1), nn.ReLU6()]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, CLASSES)]
    network = nn.Sequential(*layers)
    with torch.no_grad():
        for layer in network:
            if isinstance(layer, nn.Conv2d | nn.Linear):
                taps = layer.weight.flatten(2) if layer.weight.ndim > 2 else layer.weight[..., None]
                taps[:, 0, taps.shape[2] // 2] = 12 * layer.weight.std()
    return network


@pytest.mark.parametrize("name", FROM_ONNX)
def test_int8_is_closer_to_the_float_network_with_it(
    name: str, student: Any, tmp_path: Path
) -> None:
    network = coarse_network()
    graphs = {
        trained: deploy_graph(network, MEAN, STD, trained_in_int8=trained)
        for trained in (True, False)
    }
    logits = graphs[True](torch.from_numpy(student.images)).numpy()
    errors = {}
    for trained, graph in graphs.items():
        folder = file_of(graph, name, "int8", student, tmp_path / str(trained))
        errors[trained] = answers(name, folder, student)[0] - logits
    assert np.abs(errors[False].mean(0)).max() < 0.5 * np.abs(errors[True].mean(0)).max()
    assert np.abs(errors[False]).mean() < 0.8 * np.abs(errors[True]).mean()


def integers_of(file: Path) -> dict[str, NDArray[np.float64]]:
    """The rounded weights of each node, on their scale."""
    graph = onnx.load(file).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    producers = {output: node for node in graph.node for output in node.output}
    weights = {}
    for node in graph.node:
        if node.op_type in ("Conv", "Gemm"):
            pair = producers[node.input[1]]
            integers, scale = (constants[name] for name in pair.input[:2])
            shape = (-1, *(1,) * (integers.ndim - 1))
            weights[node.name] = integers.astype(np.float64) * scale.reshape(shape)
    return weights


@pytest.mark.parametrize(("name", "greatest"), [("onnx", 64), ("tensorrt", 127)])
def test_weights_are_rounded_in_the_file_as_the_correction_takes_them(
    name: str, greatest: int, lowered: Any, student: Any
) -> None:
    model = prepared_model(student.graph, SIZE)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    floats = {node.name: constants[node.input[1]] for node in layers_with_bias(model)}
    integers = integers_of(lowered(name, "int8") / "model.onnx")
    assert integers.keys() == floats.keys()
    for node, weight in floats.items():
        expected = rounded_weight(weight, greatest)
        step = np.abs(weight).max() / greatest
        assert np.abs(integers[node] - expected).max() < 1e-4 * step, node


@pytest.mark.parametrize("name", FROM_ONNX)
def test_recorded_ranges_without_means_leave_biases_as_they_are(
    name: str, trained_in_int8: Any, student: Any, tmp_path: Path
) -> None:
    backend = get_backend(name)
    assert isinstance(backend, RangedBackend)
    measured = backend.measure(student.graph, SIZE, variant("int8"), student.calibration)
    assert measured.means.keys() >= {"stem.0", "blocks.1.body.0", "head.2"}
    bare = RecordedRanges(measured.tensors, measured.images)
    backend.lower_by_ranges(student.graph, SIZE, variant("int8"), bare, tmp_path)
    plain = file_of(trained_in_int8, name, "int8", student, tmp_path / "plain")
    for file in plain.iterdir():
        assert (tmp_path / file.name).read_bytes() == file.read_bytes()


def test_layers_in_float_keep_their_biases(lowered: Any, student: Any) -> None:
    def biases(precision: str) -> dict[str, NDArray[Any]]:
        graph = onnx.load(lowered("tensorrt", precision) / "model.onnx").graph
        constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        return {node.name: constants[node.input[2]] for node in graph.node
                if node.op_type in ("Conv", "Gemm")}  # fmt: skip

    plain, corrected, mixed = biases("fp32"), biases("int8"), biases("int8-mixed")
    for node, bias in corrected.items():
        assert (bias != plain[node]).any()
        expected = plain if node in FLOAT_LAYERS else corrected
        assert np.array_equal(mixed[node], expected[node]), node


def test_means_are_of_all_images_at_each_position_of_the_kernel(student: Any) -> None:
    means = measure(student.graph, SIZE, Images(student.calibration)).means
    inputs = student.graph.normalise(torch.from_numpy(student.calibration)).mean(0, keepdim=True)
    stem = student.network.get_submodule("stem.0")
    unfold = nn.Unfold(stem.kernel_size, stem.dilation, stem.padding, stem.stride)
    expected = unfold(inputs).mean(2).reshape(means["stem.0"].shape)
    np.testing.assert_allclose(means["stem.0"], expected.numpy(), atol=1e-5)
    assert means["head.2"].ndim == 1


def test_nodes_with_one_bias_are_corrected_apart() -> None:
    """As where the exporter finds two layers with equal biases; no constant is left over."""
    weight = np.array([[0.3, 1.0], [1.0, 0.77]], np.float32)
    nodes = [
        helper.make_node("Gemm", ["image", "weight", "bias"], ["inner"], "a", transB=1),
        helper.make_node("Gemm", ["inner", "weight", "bias"], ["logits"], "b", transB=1),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2])
            for name in ("image", "logits")]  # fmt: skip
    constants = [numpy_helper.from_array(weight, "weight"),
                 numpy_helper.from_array(np.zeros(2, np.float32), "bias")]  # fmt: skip
    model = helper.make_model(helper.make_graph(nodes, "two", ends[:1], ends[1:], constants))
    means = {"a": np.array([1.0, 1.0]), "b": np.array([5.0, 0.0])}
    corrected = with_corrected_biases(model, means, greatest=2)
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in corrected.graph.initializer}
    first, second = (stored[node.input[2]] for node in corrected.graph.node)
    np.testing.assert_allclose(first, [-0.2, -0.23], atol=1e-6)
    np.testing.assert_allclose(second, [-1.0, 0.0], atol=1e-6)
    assert stored.keys() == {"weight", *(node.input[2] for node in corrected.graph.node)}
