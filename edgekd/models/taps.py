"""Feature taps of any timm backbone: the last map, the pooled vector, the logits.

Taken on the way through the network's own two halves, `forward_features` and `forward_head`, so
that no hooks are registered and none can pile up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from edgekd.errors import InputError
from edgekd.models.normalised import NormalisedNetwork

__all__ = ["Features", "behind_map", "features_of", "probe"]

_HALVES = ("forward_features", "forward_head", "get_classifier")


@dataclass(frozen=True)
class Features:
    """What a network computed on its way.

    Attributes:
        features: The last feature map [B, C, H, W].
        pooled: The classifier's input [B, D].
        logits: [B, K].
    """

    features: Tensor
    pooled: Tensor
    logits: Tensor


def features_of(network: nn.Module, images: Tensor) -> Features:
    """Run a network and keep the last map, the pooled vector and the logits.

    Args:
        network: A timm network, or one with its normalisation in front.
        images: [B, 3, S, S], as the network takes them.

    Returns:
        Logits equal those of `network(images)` bit for bit.

    Raises:
        InputError: The network does not come apart into the two halves, or has no map.
    """
    if isinstance(network, NormalisedNetwork):
        found = features_of(network.network, network.normalise(images))
        return replace(found, logits=network.class_logits(found.logits))
    halves: Any = network
    if not all(hasattr(network, half) for half in _HALVES):
        message = f"{type(network).__name__} has no feature taps"
        raise InputError(message, "choose a network of timm")
    features = halves.forward_features(images)
    if features.ndim != 4 or features.shape[1] != halves.num_features:
        message = (
            f"{type(network).__name__} has no feature map [B, C, H, W], but {_shape(features)}"
        )
        raise InputError(message, "choose a convolutional network, or the method kd")
    pooled = halves.forward_head(features, pre_logits=True)
    return Features(features, pooled, halves.get_classifier()(pooled))


def probe(network: nn.Module, image_size: int) -> Features:
    """The taps of one black image, for their shapes; the network is left as it was."""
    with torch.no_grad():
        return _probe(network, image_size)


def behind_map(network: nn.Module, image_size: int) -> tuple[nn.Parameter, ...]:
    """The parameters that the last map does not depend on: the classifier's, and whatever some
    networks have between map and pooled vector.
    """
    parameters = list(network.parameters())
    trainable = [parameter.requires_grad for parameter in parameters]
    network.requires_grad_(True)
    with torch.enable_grad():
        total = _probe(network, image_size).features.sum()
    gradients = torch.autograd.grad(total, parameters, allow_unused=True)
    for parameter, before in zip(parameters, trainable, strict=True):
        parameter.requires_grad_(before)
    pairs = zip(parameters, gradients, strict=True)
    return tuple(parameter for parameter, gradient in pairs if gradient is None)


def _probe(network: nn.Module, image_size: int) -> Features:
    modes = {module: module.training for module in network.modules()}
    network.eval()
    found = features_of(network, torch.zeros(1, 3, image_size, image_size))
    for module, training in modes.items():
        module.training = training
    return found


def _shape(tensor: Tensor) -> list[int]:
    return list(tensor.shape)
