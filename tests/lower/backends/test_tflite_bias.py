"""Bias correction of TensorFlow Lite files: what is corrected, by how much, and what it is for."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from backends.lowered_files import CLASSES, SIZE
from backends.tflite_files import BACKEND, MEAN, STD, WEIGHTED, lower
from edgekd.lower.backends._tflite_bias import _written, operators_with_bias, with_corrected_biases
from edgekd.lower.backends._tflite_layers import GraphReader, scopes_of
from edgekd.lower.backends._tflite_ranges import measure_activations
from edgekd.lower.backends.tflite import _float_model
from edgekd.lower.graph import DeployGraph, deploy_graph
from edgekd.lower.int8.bias_correction import rounded_weight
from edgekd.lower.int8.recorded_ranges import RecordedRanges
from edgekd.lower.precision import Variant
from edgekd.runtime.sessions import open_session

Biases = list[NDArray[np.float32]]
INT8 = Variant(precision="int8")
LAYERS = ("0", "2", "4", "6", "8", "12")
DENSE, DEPTHWISE, GROUPED, FIRST_POINT, SECOND_POINT, LINEAR = LAYERS


class FloatFile(NamedTuple):
    """A network with every kind of layer that is corrected, and its float file."""

    graph: DeployGraph
    content: bytes

    @property
    def layers(self) -> list[Any]:
        return [self.graph.network.get_submodule(name) for name in LAYERS]


@pytest.fixture(scope="module")
def made() -> FloatFile:
    torch.manual_seed(0)
    network = nn.Sequential(
        *(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU6()),
        *(nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.ReLU6()),
        *(nn.Conv2d(8, 16, 3, groups=2), nn.ReLU6()),
        *(nn.Conv2d(16, 16, 1), nn.ReLU6()),
        *(nn.Conv2d(16, 16, 1), nn.ReLU6()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, CLASSES)),
    )
    for layer in (network.get_submodule(name) for name in LAYERS):
        heavy_tailed(layer.weight.data)
    graph = deploy_graph(network, MEAN, STD)
    return FloatFile(graph, _float_model(graph, SIZE))


def heavy_tailed(weight: torch.Tensor) -> None:
    """Few large weights, as after training: beside them the others are rounded coarsely.

    Their variance keeps that of the activations (He et al. 2015).
    """
    weight.normal_().pow_(3)
    weight *= (2 / weight[0].numel()) ** 0.5 / weight.std()


@pytest.fixture
def uncorrected(made: FloatFile, tmp_path: Path) -> Path:
    """The int8 file whose biases stay as they are, because it counts as trained in int8."""
    out = tmp_path / "uncorrected"
    out.mkdir()
    made.graph.trained_in_int8 = True
    file = lower(made.graph, INT8, images(), out)
    made.graph.trained_in_int8 = False
    return file


def names(content: bytes) -> list[str]:
    return [each.name for each in operators_with_bias(GraphReader(content))]


def biases(content: bytes) -> Biases:
    return [each.bias for each in operators_with_bias(GraphReader(content))]


def means_of(made: FloatFile) -> dict[str, NDArray[np.float32]]:
    return dict(measure_activations(made.content, images()).means)


def changed(before: bytes, after: bytes) -> list[str]:
    """The layers whose bias is no longer what it was, bit for bit."""
    pairs = zip(LAYERS, biases(before), biases(after), strict=True)
    return [layer for layer, old, new in pairs if old.tobytes() != new.tobytes()]


def test_weights_are_rounded_as_the_correction_takes_for_granted(
    made: FloatFile, tmp_path: Path
) -> None:
    before = tmp_path / "float.tflite"
    before.write_bytes(made.content)
    exact = [weight for weight, _ in stored_weights(before)]
    after = list(stored_weights(lower(made.graph, INT8, images(), tmp_path)))
    assert len(exact) == len(after) == len(LAYERS)
    for weight, (integers, details) in zip(exact, after, strict=True):
        assert integers.dtype == np.int8
        quantisation = details["quantization_parameters"]
        assert not quantisation["zero_points"].any()
        axis = quantisation["quantized_dimension"]
        rows = np.moveaxis(integers, axis, 0).reshape(integers.shape[axis], -1)
        expected = rounded_weight(np.moveaxis(weight, axis, 0).reshape(rows.shape), 127)
        restored = rows * quantisation["scales"][:, None]
        assert np.allclose(restored, expected, rtol=1e-5, atol=0)


def stored_weights(file: Path) -> Iterator[tuple[NDArray[Any], dict[str, Any]]]:
    """The weights of each weighted operator, and what the interpreter knows of them."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        str(file), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    interpreter.allocate_tensors()
    details = {one["index"]: one for one in interpreter.get_tensor_details()}
    for one in interpreter._get_ops_details():
        if one["op_name"] in WEIGHTED:
            index = one["inputs"][1]
            yield interpreter.get_tensor(index), details[index]


def test_corrected_file_answers_as_the_float_file_on_average(
    made: FloatFile, uncorrected: Path, tmp_path: Path
) -> None:
    exact = answers(made.content, tmp_path)
    plain = logits(uncorrected) - exact
    corrected = logits(lower(made.graph, INT8, images(), tmp_path)) - exact
    assert np.abs(corrected.mean(0)).mean() < 0.25 * np.abs(plain.mean(0)).mean()
    assert np.abs(corrected).mean() < 0.5 * np.abs(plain).mean()


def images() -> NDArray[np.uint8]:
    """Noise of different brightness, so that the logits vary."""
    random = np.random.default_rng(0)
    brightness = random.uniform(0.2, 1, (24, 1, 1, 3))
    return (random.integers(0, 256, (24, SIZE, SIZE, 3)) * brightness).astype(np.uint8)


def logits(file: Path) -> NDArray[np.float32]:
    session = open_session("tflite", file, threads=1)
    return np.concatenate([session.run(image[None]) for image in images()])


def test_means_are_those_of_the_layers_inputs(made: FloatFile) -> None:
    inputs: dict[nn.Module, torch.Tensor] = {}
    hooks = [
        layer.register_forward_pre_hook(lambda module, given: inputs.update({module: given[0]}))
        for layer in made.layers
    ]
    made.graph(torch.from_numpy(images()))
    for hook in hooks:
        hook.remove()
    means = means_of(made)
    assert list(means) == names(made.content)
    for layer, mean in zip(made.layers, means.values(), strict=True):
        expected = inputs[layer].mean(0)
        if isinstance(layer, nn.Conv2d):
            size, padding = layer.kernel_size, layer.padding
            unfold = nn.Unfold(size, layer.dilation, padding, layer.stride)
            expected = unfold(expected[None]).mean(2).reshape(-1, *size)
        assert mean.dtype == np.float32
        assert mean == pytest.approx(expected.numpy(), rel=1e-4, abs=1e-5)


def test_correction_is_the_answer_of_the_layers_error_to_its_mean_input(made: FloatFile) -> None:
    """By convolutions of torch, so that every layout of weights is checked."""
    random = np.random.default_rng(0)
    operators = operators_with_bias(GraphReader(made.content))
    means = {
        each.name: random.uniform(
            1, 6, (each.channels, *(each.window.kernel if each.window else ()))
        )
        for each in operators
    }
    after = biases(with_corrected_biases(made.content, means, []))
    for layer, mean, bias in zip(made.layers, means.values(), after, strict=True):
        weight = layer.weight.double()
        error = torch.from_numpy(rounded_weight(weight.numpy(), 127)) - weight
        error = error.reshape(*error.shape, *(1,) * (4 - error.ndim))
        window = torch.from_numpy(mean).reshape(1, -1, *error.shape[2:])
        shift = nn.functional.conv2d(window, error, groups=getattr(layer, "groups", 1)).ravel()
        assert bias == pytest.approx((layer.bias - shift).numpy(), abs=1e-6)
        assert shift.abs().max() > 1e-4


def test_written_file_without_a_change_answers_as_before(made: FloatFile, tmp_path: Path) -> None:
    nothing = {name: np.zeros_like(mean) for name, mean in means_of(made).items()}
    written = with_corrected_biases(made.content, nothing, [])
    assert written != made.content  # it was written once more
    assert (answers(written, tmp_path) == answers(made.content, tmp_path)).all()


def test_large_files_are_read_and_written_again(made: FloatFile, tmp_path: Path) -> None:
    """From 256 KiB on, weights lie behind the flatbuffer."""
    reader = GraphReader(made.content)
    reader.buffers.append(copy.copy(reader.buffers[0]))
    reader.buffers[-1].data = np.zeros(2**18, np.uint8)
    large = _written(reader)
    assert len(large) > 2**18
    assert (answers(large, tmp_path) == answers(made.content, tmp_path)).all()
    corrected = with_corrected_biases(large, means_of(made), [])
    small = with_corrected_biases(made.content, means_of(made), [])
    assert changed(small, corrected) == []
    assert (answers(corrected, tmp_path) == answers(small, tmp_path)).all()


def answers(content: bytes, folder: Path) -> NDArray[np.float32]:
    (folder / "answering.tflite").write_bytes(content)
    return logits(folder / "answering.tflite")


@pytest.mark.parametrize("layer", [DEPTHWISE, LINEAR])
def test_float_layers_keep_their_bias(layer: str, made: FloatFile) -> None:
    scopes = scopes_of(made.content, made.graph.network, [layer])
    after = with_corrected_biases(made.content, means_of(made), scopes)
    assert changed(made.content, after) == [name for name in LAYERS if name != layer]


def test_layers_without_a_mean_keep_their_bias(made: FloatFile) -> None:
    means = dict(list(means_of(made).items())[2:4])
    after = with_corrected_biases(made.content, means, [])
    assert changed(made.content, after) == [GROUPED, FIRST_POINT]
    assert with_corrected_biases(made.content, {}, []) == made.content


def test_ranges_without_means_leave_the_biases(
    made: FloatFile, uncorrected: Path, tmp_path: Path
) -> None:
    with_means = BACKEND.measure(made.graph, SIZE, INT8, images())
    without = RecordedRanges(with_means.tensors, with_means.images)
    for ranges, equal in ((without, True), (with_means, False)):
        BACKEND.lower_by_ranges(made.graph, SIZE, INT8, ranges, tmp_path)
        written = (tmp_path / BACKEND.model_file).read_bytes()
        assert (written == uncorrected.read_bytes()) is equal


def share_tensor(reader: GraphReader, first: Any, second: Any) -> None:
    second.inputs = [*second.inputs[:2], first.inputs[2]]


def share_buffer(reader: GraphReader, first: Any, second: Any) -> None:
    reader.tensors[second.inputs[2]].buffer = reader.tensors[first.inputs[2]].buffer


@pytest.mark.parametrize("share", [share_tensor, share_buffer])
def test_shared_bias_is_corrected_for_each_operator(
    share: Callable[..., None], made: FloatFile
) -> None:
    reader = GraphReader(made.content)
    three = [each.operator for each in operators_with_bias(reader)][2:5]
    share(reader, three[0], three[1])
    share(reader, three[0], three[2])
    content = _written(reader)
    shared = biases(content)[2:5]
    assert all(bias.tobytes() == shared[0].tobytes() for bias in shared)

    measured = measure_activations(content, images())
    first, _, third = names(content)[2:5]
    means = {name: measured.means[name] for name in (first, third)}
    after = with_corrected_biases(content, means, [])
    assert changed(content, after) == [GROUPED, SECOND_POINT]
    corrected = biases(after)
    assert corrected[2].tobytes() != corrected[4].tobytes()
    # Each is what it would be if it were corrected alone.
    alone = [biases(with_corrected_biases(content, {name: means[name]}, [])) for name in means]
    assert (corrected[2] == alone[0][2]).all()
    assert (corrected[4] == alone[1][4]).all()
    # The quantizer knows tensors by their names.
    tensors = GraphReader(after).tensors
    assert len({tensor.name for tensor in tensors}) == len(tensors)
