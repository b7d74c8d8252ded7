"""Ranges of a student's layers, and its simulated int8, which leaves no trace."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from timm.layers import Conv2dSame
from torch import Tensor, nn

from edgekd.lower.graph import deploy_graph
from edgekd.lower.int8.ranges import observe_ranges
from edgekd.models.simulated_int8 import (
    quantisable_layers,
    simulated_int8,
)

LAYERS = [
    "stem.0", "blocks.0.body.0", "blocks.0.body.3", "blocks.1.body.0", "blocks.1.body.3", "head.2",
]  # fmt: skip


def logits_of(student: Any) -> Tensor:
    with torch.no_grad():
        return student.graph(torch.from_numpy(student.images))


def test_gradient_reaches_the_float_weights(student: Any) -> None:
    network = copy.deepcopy(student.graph.network).requires_grad_(True)
    ranges = observe_ranges(student.graph, student.calibration)
    with simulated_int8(network, ranges):
        network(student.graph.normalise(torch.from_numpy(student.images))).sum().backward()
    for name, layer in quantisable_layers(network).items():
        gradient = layer.get_parameter("weight").grad
        assert gradient is not None, name
        assert torch.count_nonzero(gradient) > 0, name


def test_ranges_are_those_of_the_inputs(student: Any) -> None:
    ranges = observe_ranges(student.graph, student.calibration, batch_size=7)
    assert list(ranges) == LAYERS
    inputs = student.graph.normalise(torch.from_numpy(student.calibration))
    assert ranges["stem.0"] == (float(inputs.min()), float(inputs.max()))
    assert ranges["blocks.0.body.3"][0] == 0.0
    assert ranges["blocks.0.body.3"][1] <= 6.0
    assert ranges == observe_ranges(student.graph, student.calibration)


def test_layer_that_takes_no_part_has_no_range() -> None:
    class WithSpare(nn.Sequential):
        def __init__(self) -> None:
            super().__init__(Conv2dSame(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
            self.spare = nn.Linear(2, 2)

        def forward(self, image: Tensor) -> Tensor:
            return self[2](self[1](self[0](image)))

    graph = deploy_graph(WithSpare(), (0.5, 0.5, 0.5), (0.2, 0.2, 0.2))
    assert list(quantisable_layers(graph.network)) == ["0", "spare"]
    assert list(observe_ranges(graph, np.zeros((2, 8, 8, 3), np.uint8))) == ["0"]


def test_nothing_is_left_afterwards(student: Any) -> None:
    network = student.graph.network
    before, plain = copy.deepcopy(network.state_dict()), logits_of(student)
    weights = {id(parameter) for parameter in network.parameters()}
    attributes = {name: set(vars(part)) for name, part in network.named_modules()}
    ranges = observe_ranges(student.graph, student.calibration)
    with simulated_int8(network, ranges):
        assert not torch.equal(logits_of(student), plain)
        inside = network.state_dict()
        assert list(inside) == list(before)
        assert all(torch.equal(inside[key], before[key]) for key in before)
    assert torch.equal(logits_of(student), plain)
    assert {name: set(vars(part)) for name, part in network.named_modules()} == attributes
    assert list(network.state_dict()) == list(before)
    assert {id(parameter) for parameter in network.parameters()} == weights


def test_nothing_is_left_after_an_error(student: Any) -> None:
    plain = logits_of(student)
    ranges = observe_ranges(student.graph, student.calibration)
    with pytest.raises(RuntimeError), simulated_int8(student.graph.network, ranges):
        student.graph.network(torch.zeros(1, 5, 8, 8))
    assert torch.equal(logits_of(student), plain)


def test_only_the_named_layers_are_rounded(student: Any) -> None:
    network = student.graph.network
    ranges = observe_ranges(student.graph, student.calibration)
    features: list[Tensor] = []
    handle = network.get_submodule("stem.0").register_forward_hook(
        lambda layer, inputs, output: features.append(output.clone())
    )
    logits_of(student)
    with simulated_int8(network, ranges, ["head.2"]):
        logits_of(student)
    with simulated_int8(network, ranges, ["stem.0"]):
        logits_of(student)
    handle.remove()
    assert torch.equal(features[0], features[1])
    assert not torch.equal(features[0], features[2])


def test_layer_without_a_range_is_refused(student: Any) -> None:
    with (
        pytest.raises(KeyError, match=r"head\.2"),
        simulated_int8(student.graph.network, {"stem.0": (0.0, 1.0)}, ["stem.0", "head.2"]),
    ):
        pass
