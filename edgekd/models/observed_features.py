"""Features of networks that are not made of two halves, by observing their layers in one pass.

The last map is the last output [B, C, H, W] of a layer, or of a block of layers, before the
pooling; the pooled vector is the input of the last linear layer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from edgekd.errors import InputError

__all__ = ["observed_features"]

_POOLS = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.AvgPool2d, nn.MaxPool2d)
_MOST_LINEAR = 3
"""Linear layers that a convolutional network has at most behind its last map (VGG has them)."""


@dataclass
class _Pass:
    """What the layers of one pass gave.

    Attributes:
        maps: Outputs [B, C, H, W] that no pooling gave, with the number of linear layers before.
        inputs: Inputs [B, …, D] of linear layers.
        attention: Whether a layer of attention was among them.
    """

    maps: list[tuple[Tensor, int]] = field(default_factory=list)
    inputs: list[Tensor] = field(default_factory=list)
    attention: bool = False

    def note(self, layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        """Record what a layer gave; a hook of PyTorch's."""
        self.attention |= isinstance(layer, nn.MultiheadAttention)
        if isinstance(layer, nn.Linear) and inputs:
            self.inputs.append(inputs[0])
        if isinstance(output, Tensor) and output.ndim == 4 and not isinstance(layer, _POOLS):
            self.maps.append((output, len(self.inputs)))


def observed_features(network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor, Any]:
    """Run a network and keep its last map [B, C, H, W], its pooled vector [B, D] and its answer.

    Args:
        network: The network.
        images: [B, 3, S, S], as it takes them.

    Raises:
        InputError: It has no feature map before a linear classifier.
    """
    observed = _Pass()
    with _observing(network, observed):
        answer = network(images)
    last_map = _last_map(observed)
    if last_map is None:
        message = (
            f"{_name(network)} does not give its features: it has no map [B, C, H, W] before a "
            "linear classifier"
        )
        raise InputError(message, "choose a convolutional network, or the method kd")
    return last_map, observed.inputs[-1], answer


@contextmanager
def _observing(network: nn.Module, observed: _Pass) -> Iterator[None]:
    layers = [layer for layer in network.modules() if layer is not network]
    hooks = [layer.register_forward_hook(observed.note) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _last_map(observed: _Pass) -> Tensor | None:
    """The last map that the first linear layer behind it can have been pooled from.

    Where a layer follows the pooling (a norm), its map of one pixel gives way to the one before it.
    """
    if observed.attention:
        return None
    fitting = [each for each, before in observed.maps if _leads_to(each, observed.inputs[before:])]
    if not fitting:
        return None
    last = fitting[-1]
    wider = [each for each in fitting if each.shape[2] * each.shape[3] > 1]
    return wider[-1] if wider and wider[-1].shape[1] == last.shape[1] else last


def _leads_to(features: Tensor, behind: list[Tensor]) -> bool:
    """Whether the vectors behind a map begin with its channels, each pooled to a square grid."""
    if not 1 <= len(behind) <= _MOST_LINEAR or any(vector.ndim != 2 for vector in behind):
        return False
    grid, left = divmod(behind[0].shape[1], features.shape[1])
    side = math.isqrt(grid)
    return not left and side >= 1 and side * side == grid


def _name(network: nn.Module) -> str:
    inner = getattr(network, "network", network)
    return type(inner).__name__
