"""Simulated int8 rounds as integers do, and leaves no trace."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from timm.layers import Conv2dSame
from torch import Tensor, nn

from edgekd.lower.graph import deploy_graph
from edgekd.lower.int8.simulate import (
    fake_quantised,
    fake_quantised_weight,
    observe_ranges,
    quantisable_layers,
    simulated_int8,
)

LAYERS = [
    "stem.0", "blocks.0.body.0", "blocks.0.body.3", "blocks.1.body.0", "blocks.1.body.3", "head.2",
]  # fmt: skip


def logits_of(student: Any) -> Tensor:
    with torch.no_grad():
        return student.graph(torch.from_numpy(student.images))


@settings(deadline=None, max_examples=50)
@given(low=st.floats(-50, 20), width=st.floats(0.01, 100), bits=st.sampled_from([4, 8]))
def test_inputs_take_the_values_of_an_integer(low: float, width: float, bits: int) -> None:
    seen = (low, low + width)
    high, low = max(seen[1], 0.0), min(seen[0], 0.0)
    step = (high - low) / (2**bits - 1)
    features = torch.linspace(low, high, 1001)
    rounded = fake_quantised(features, seen, bits=bits)
    assert (rounded - features).abs().max() <= step * 1.001
    assert len(rounded.unique()) <= 2**bits
    assert torch.count_nonzero(fake_quantised(torch.zeros(3), seen, bits=bits)) == 0


def test_input_that_was_always_zero_does_not_divide_by_it() -> None:
    assert torch.equal(fake_quantised(torch.zeros(2), (0.0, 0.0)), torch.zeros(2))


def test_gradient_stops_outside_of_the_range() -> None:
    features = torch.tensor([-3.0, -0.9, 0.0, 0.7, 5.0], requires_grad=True)
    fake_quantised(features, (-1.0, 1.0)).sum().backward()
    assert features.grad is not None
    assert features.grad.tolist() == [0, 1, 1, 1, 0]


def test_weights_have_a_scale_for_each_output_channel() -> None:
    weight = torch.randn(5, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    weight = weight * torch.tensor([1e-3, 1.0, 1e3, 0.0, 7.0]).reshape(5, 1, 1, 1)
    rounded = fake_quantised_weight(weight)
    for plain, channel in zip(weight, rounded, strict=True):
        step = float(plain.abs().max()) / 127
        integers = (channel / max(step, 1e-30)).numpy()
        np.testing.assert_allclose(integers, integers.round(), atol=1e-3)
        np.testing.assert_allclose(channel, plain, atol=step * 0.501)
        assert np.abs(integers.round()).max() in (0, 127)


def test_batch_norm_need_not_be_folded() -> None:
    """Rounding and then scaling output channels is scaling and then rounding."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(4, 2, 3, 3, generator=generator)
    folding = torch.tensor([0.3, -2.0, 11.0, 1e-3]).reshape(4, 1, 1, 1)
    folded = fake_quantised_weight(weight * folding)
    torch.testing.assert_close(fake_quantised_weight(weight) * folding, folded)


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


def test_simulation_is_what_integers_compute() -> None:
    """A linear layer in whole numbers, as a device does it, gives the simulated outputs."""
    generator = torch.Generator().manual_seed(0)
    layer = nn.Linear(12, 5, bias=False)
    features = torch.rand(7, 12, generator=generator) * 3 - 1
    seen = (float(features.min()), float(features.max()))
    with torch.no_grad(), simulated_int8(nn.Sequential(layer), {"0": seen}):
        simulated = layer(features).numpy()
    step = (seen[1] - seen[0]) / 255
    zero = round(-128 - seen[0] / step)
    inputs = np.rint(features.numpy() / step).astype(np.int32) + zero
    inputs = inputs.clip(-128, 127)
    weight = layer.weight.detach().numpy()
    steps = np.abs(weight).max(axis=1) / 127
    integers = np.rint(weight / steps[:, None]).astype(np.int32)
    products = (inputs - zero) @ integers.T
    np.testing.assert_allclose(simulated, products * steps * step, rtol=1e-4, atol=1e-5)
