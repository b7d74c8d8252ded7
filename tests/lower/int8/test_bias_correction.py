"""The bias takes back what rounding the weights adds to a layer's mean output."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import conv2d, linear

from edgekd.lower.int8.bias_correction import (
    Window,
    corrected_bias,
    rounded_weight,
    window_means,
)

RNG = np.random.default_rng(3)


@pytest.mark.parametrize(
    ("groups", "weight_shape", "options"),
    [
        (1, (6, 4, 3, 3), {"padding": 1}),
        (2, (6, 2, 3, 3), {"stride": 2, "padding": (0, 1)}),
        (4, (8, 1, 3, 3), {"dilation": 2, "padding": 2}),
        (4, (4, 1, 5, 5), {"stride": (3, 2), "padding": 2}),
        (1, (5, 4, 1, 1), {"stride": 2}),
    ],
)
def test_a_convolution_keeps_its_mean_output(
    groups: int, weight_shape: tuple[int, ...], options: dict[str, Any]
) -> None:
    """Exactly, beside the padding too, since means are linear."""
    weight, bias = RNG.normal(size=weight_shape), RNG.normal(size=weight_shape[0])
    inputs = RNG.uniform(size=(7, 4, 6, 9))
    layer = nn.Conv2d(4, weight_shape[0], weight_shape[2:], groups=groups, **options)
    padding = layer.padding
    assert isinstance(padding, tuple)
    window = Window(layer.kernel_size, layer.stride, layer.dilation, padding, padding)
    rounded = rounded_weight(weight, 7)
    mean = window_means(inputs.mean(0), window)
    corrected = corrected_bias(weight, bias, mean, rounded=rounded, groups=groups)

    def mean_output(weight: NDArray[np.float64], bias: NDArray[np.floating]) -> NDArray[np.float64]:
        tensors = [
            torch.from_numpy(np.asarray(each, np.float64)) for each in (inputs, weight, bias)
        ]
        return conv2d(*tensors, groups=groups, **options).mean((0, 2, 3)).numpy()

    before = mean_output(weight, bias)
    assert np.abs(mean_output(rounded, bias) - before).max() > 0.01
    np.testing.assert_allclose(mean_output(rounded, corrected), before, atol=1e-6)


def test_a_linear_layer_keeps_its_mean_output() -> None:
    weight, bias, inputs = RNG.normal(size=(3, 5)), RNG.normal(size=3), RNG.uniform(size=(64, 5))
    rounded = rounded_weight(weight, 3)
    corrected = corrected_bias(weight, bias, inputs.mean(0), rounded=rounded)

    def mean_output(weight: NDArray[np.float64], bias: NDArray[np.floating]) -> NDArray[np.float64]:
        tensors = [torch.from_numpy(np.asarray(each, np.float64)) for each in (weight, bias)]
        return linear(torch.from_numpy(inputs), *tensors).mean(0).numpy()

    np.testing.assert_allclose(
        mean_output(rounded, corrected), mean_output(weight, bias), atol=1e-6
    )


def test_the_largest_weight_of_each_channel_becomes_the_greatest_integer() -> None:
    weight = np.array([[0.5, -2.0, 0.0], [0.01, 0.004, -0.002], [0.0, 0.0, 0.0]])
    rounded = rounded_weight(weight, 64)
    steps = np.array([2.0, 0.01, 1.0])[:, None] / 64
    np.testing.assert_allclose(rounded / steps, [[16, -64, 0], [64, 26, -13], [0, 0, 0]])
