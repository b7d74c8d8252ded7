"""Simulated int8: layers that compute in float on values that int8 can represent.

What the backends make of a convolution or linear layer (LiteRT's and NNCF's int8 alike): weights
symmetric with one scale for each output channel, the layer's input with one scale and zero point
for the tensor, from the least and greatest value of the calibration images. Batch norm need not be
folded first: it scales whole output channels, and so the scale of a channel's integers.

Source: Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", sections 2.1 and 3; LiteRT's 8-bit quantisation specification.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

__all__ = [
    "Forward",
    "Range",
    "fake_quantised",
    "fake_quantised_weight",
    "forwards_replaced",
    "quantisable_layers",
    "quantised_forward",
    "ranges_observed",
    "simulated_int8",
    "weight_quantised_forward",
]

Range = tuple[float, float]
"""Least and greatest value of a layer's input."""

Forward = Callable[..., Any]

_TINY = torch.finfo(torch.float32).tiny
"""The least scale, for a channel of zeros or an input that is always zero."""


def quantisable_layers(network: nn.Module) -> dict[str, nn.Module]:
    """Convolutions and linear layers (subclasses too) by name, in the order of definition."""
    kinds = (nn.Conv2d, nn.Linear)
    return {name: part for name, part in network.named_modules() if isinstance(part, kinds)}


def fake_quantised(features: Tensor, span: Range, *, bits: int = 8) -> Tensor:
    """`features` rounded to the 2^bits values that an asymmetric integer has for a range.

    Args:
        features: Any shape.
        span: The range; it is widened to hold 0, which padding and ReLU need exactly.
        bits: Width of the integer.

    Returns:
        The same shape. Gradients pass as if nothing had been rounded, but not where `features`
        left the range (the straight-through estimator).
    """
    least, greatest = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    low, high = min(span[0], 0.0), max(span[1], 0.0)
    scale = max((high - low) / (greatest - least), _TINY)
    zero_point = min(max(round(least - low / scale), least), greatest)
    return torch.fake_quantize_per_tensor_affine(features, scale, zero_point, least, greatest)


def fake_quantised_weight(weight: Tensor, *, bits: int = 8) -> Tensor:
    """`weight` [out, ...] rounded with one scale for each output channel.

    Symmetric and without the lowest integer (-127…127 for 8 bits). Gradients pass as if nothing
    had been rounded.
    """
    greatest = 2 ** (bits - 1) - 1
    scale = (weight.detach().abs().flatten(1).amax(dim=1) / greatest).clamp_min(_TINY)
    zero_points = torch.zeros(len(weight), dtype=torch.int32, device=weight.device)
    rounded: Tensor = torch.fake_quantize_per_channel_affine(
        weight, scale, zero_points, 0, -greatest, greatest
    )
    return rounded


def quantised_forward(layer: nn.Module, span: Range, *, bits: int = 8) -> Forward:
    """The forward of `layer` in simulated int8; the layer itself stays as it is."""
    rounded = weight_quantised_forward(layer, bits=bits)

    def forward(features: Tensor) -> Tensor:
        outputs: Tensor = rounded(fake_quantised(features, span, bits=bits))
        return outputs

    return forward


def weight_quantised_forward(layer: nn.Module, *, bits: int = 8) -> Forward:
    """The forward of `layer` with rounded weights and float inputs."""
    plain: Forward = layer.forward

    def forward(features: Tensor) -> Tensor:
        with _other_weight(layer, fake_quantised_weight(_weight(layer), bits=bits)):
            outputs: Tensor = plain(features)
        return outputs

    return forward


def _weight(layer: nn.Module) -> Tensor:
    weight = layer._parameters["weight"]
    assert weight is not None  # a Conv2d or Linear always has one
    return weight


@contextmanager
def _other_weight(layer: nn.Module, weight: Tensor) -> Iterator[None]:
    """Inside the block `layer` has another weight."""
    original = layer._parameters["weight"]
    # In the dictionary, because only a Parameter may be set as the attribute. It is the original
    # again afterwards: state_dict and optimisers never meet the other one.
    layer._parameters["weight"] = weight  # type: ignore[assignment]
    try:
        yield
    finally:
        layer._parameters["weight"] = original


@contextmanager
def forwards_replaced(network: nn.Module, forwards: Mapping[str, Forward]) -> Iterator[None]:
    """Inside the block the named layers of `network` compute `forwards`.

    The layers' own forwards are restored after it. Inside, they must not be replaced again.
    """
    with ExitStack() as undo:
        for name, forward in forwards.items():
            layer = network.get_submodule(name)
            # An instance's attribute hides the class's method until it is deleted.
            layer.forward = forward
            undo.callback(delattr, layer, "forward")
        yield


@contextmanager
def simulated_int8(
    network: nn.Module,
    ranges: Mapping[str, Range],
    layers: Collection[str] | None = None,
    *,
    bits: int = 8,
) -> Iterator[None]:
    """Inside the block the named layers of `network` are in simulated int8.

    `state_dict()` is the float network's all the time; afterwards its outputs are too, bit for
    bit. Inside, gradients reach the float weights.

    Args:
        network: Any network.
        ranges: Ranges of the layers' inputs, from `ranges_observed`.
        layers: Names of the layers; None for all that have a range.
        bits: Width of the integers of weights and inputs.

    Raises:
        KeyError: A layer has no range.
    """
    chosen = ranges if layers is None else layers
    known = quantisable_layers(network)
    forwards = {name: quantised_forward(known[name], ranges[name], bits=bits) for name in chosen}
    with forwards_replaced(network, forwards):
        yield


@contextmanager
def ranges_observed(network: nn.Module) -> Iterator[dict[str, Range]]:
    """Inside the block the dictionary gathers the least and greatest input of each layer.

    Yields:
        By the layer's name in `network`, in the order of computation. A layer that does not take
        part (one of a training head) is missing.
    """
    ranges: dict[str, Range] = {}
    layers = quantisable_layers(network)
    forwards = {name: _observing(name, layer, ranges) for name, layer in layers.items()}
    with torch.no_grad(), forwards_replaced(network, forwards):
        yield ranges


def _observing(name: str, layer: nn.Module, ranges: dict[str, Range]) -> Forward:
    plain: Forward = layer.forward

    def forward(features: Tensor) -> Tensor:
        low, high = (value.item() for value in features.aminmax())
        known = ranges.get(name, (low, high))
        ranges[name] = (min(known[0], low), max(known[1], high))
        outputs: Tensor = plain(features)
        return outputs

    return forward
