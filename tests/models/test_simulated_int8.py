"""Simulated int8 rounds as integers do, and leaves no trace."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgekd.models.simulated_int8 import (
    fake_quantised,
    fake_quantised_weight,
    simulated_int8,
)


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
