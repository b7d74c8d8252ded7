"""Biases of OpenVINO's int8 models are corrected by the weights that NNCF made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import openvino
import pytest
import torch
from numpy.typing import NDArray

from backends.lowered_files import FLOAT_LAYERS, MEAN, SIZE, STD, variant
from edgekd.lower.backends import get_backend
from edgekd.lower.graph import deploy_graph
from edgekd.models.simulated_int8 import quantisable_layers

LAYERS = {"Convolution", "GroupConvolution", "MatMul"}


def layers_of(folder: Path) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Weights as they are computed with, and biases, in the order of computation."""
    model = openvino.Core().read_model(folder / "model.xml")
    found = []
    for operation in model.get_ordered_ops():
        if operation.get_type_name() in LAYERS:
            weight = operation.input_value(1).get_node()
            if weight.get_type_name() == "Multiply":
                integers = weight.input_value(0).get_node().input_value(0).get_node().data
                values = integers.astype(np.float64) * weight.input_value(1).get_node().data
            else:
                values = weight.data.astype(np.float64)
            (added,) = [port.get_node() for port in operation.output(0).get_target_inputs()]
            found.append((values, added.input_value(1).get_node().data.ravel()))
    return found


@pytest.fixture(scope="module")
def plain(student: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Layers of the int8 file whose biases are as they were."""
    out = tmp_path_factory.mktemp("plain")
    graph = deploy_graph(student.network, MEAN, STD, trained_in_int8=True)
    get_backend("openvino").lower(graph, SIZE, variant("int8"), student.calibration, out)
    return layers_of(out)


def test_each_bias_makes_up_for_the_weights_of_the_file(
    lowered: Any, plain: Any, student: Any
) -> None:
    """As torch computes it: the mean difference that the file's weights make to the layer."""
    inputs: dict[str, torch.Tensor] = {}
    layers = quantisable_layers(student.graph.network)
    hooks = [
        layer.register_forward_pre_hook(
            lambda module, given, name=name: inputs.update({name: given[0]})
        )
        for name, layer in layers.items()
    ]
    with torch.no_grad():
        student.graph.network(student.graph.normalise(torch.from_numpy(student.calibration)))
    for hook in hooks:
        hook.remove()
    corrected, exact = (layers_of(lowered("openvino", name)) for name in ("int8", "fp32"))
    assert len(corrected) == len(plain) == len(exact) == len(layers)
    rows = zip(inputs, plain, corrected, exact, strict=True)
    for name, (weight, before), (same, after), (floats, _) in rows:
        assert np.array_equal(weight, same)
        error = (weight - floats).reshape(layers[name].get_parameter("weight").shape)
        shift = _mean_output(layers[name], torch.from_numpy(error), inputs[name].double())
        assert after - before == pytest.approx(-shift, rel=1e-3, abs=1e-6), name


def _mean_output(layer: Any, weight: torch.Tensor, inputs: torch.Tensor) -> NDArray[Any]:
    if isinstance(layer, torch.nn.Linear):
        return (inputs @ weight.T).mean(0).numpy()
    outputs = torch.nn.functional.conv2d(
        inputs, weight, None, layer.stride, layer.padding, layer.dilation, layer.groups
    )
    return outputs.mean((0, 2, 3)).numpy()


def test_layers_in_float_keep_their_biases(lowered: Any, plain: Any, student: Any) -> None:
    mixed, whole = (layers_of(lowered("openvino", name)) for name in ("int8-mixed", "int8"))
    names = list(quantisable_layers(student.network))
    for name, before, after, integers in zip(names, plain, mixed, whole, strict=True):
        expected = before if name in FLOAT_LAYERS else integers
        assert np.array_equal(after[1], expected[1]), name
