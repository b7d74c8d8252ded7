"""Features of a network: the last map, the pooled vector and the logits.

Those of timm's networks are read between their two halves, `forward_features` and `forward_head`,
without registering hooks; those of other networks by `edgekd.models.observed_features`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from edgekd.errors import InputError
from edgekd.models.foreign.base import ForeignNetwork
from edgekd.models.normalised import NormalisedNetwork
from edgekd.models.observed_features import observed_features
from edgekd.models.wrapped import Wrapped

__all__ = ["Features", "behind_map", "features_of", "probe"]

_HALVES = ("forward_features", "forward_head", "get_classifier")


@dataclass(frozen=True)
class Features:
    """Outputs of a network and of its inner layers.

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
        network: A convolutional network, or one with its normalisation in front.
        images: [B, 3, S, S], as the network takes them.

    Returns:
        Logits equal those of `network(images)` bit for bit.

    Raises:
        InputError: The network has no feature map, or does not give its features.
    """
    if isinstance(network, NormalisedNetwork):
        features = features_of(network.network, network.normalise(images))
        return replace(features, logits=network.class_logits(features.logits))
    if isinstance(network, Wrapped):
        features = features_of(network.network, network.input_of(images))
        return replace(features, logits=network.answer_of(features.logits))
    if isinstance(network, ForeignNetwork):
        message = f"a network in {network.title} gives its outputs alone, and no features"
        raise InputError(message, "take a method of outputs, such as kd")
    if all(hasattr(network, half) for half in _HALVES):
        return _between_halves(network, images)
    return Features(*observed_features(network, images))


def _between_halves(network: nn.Module, images: Tensor) -> Features:
    halves: Any = network
    last_map = halves.forward_features(images)
    if last_map.ndim != 4 or last_map.shape[1] != halves.num_features:
        message = (
            f"{type(network).__name__} has no feature map [B, C, H, W], but {list(last_map.shape)}"
        )
        raise InputError(message, "choose a convolutional network, or the method kd")
    pooled = halves.forward_head(last_map, pre_logits=True)
    return Features(last_map, pooled, halves.get_classifier()(pooled))


def probe(network: nn.Module, image_size: int) -> Features:
    """The features of one black image, for their shapes; the network's state is not changed."""
    with torch.no_grad():
        return _probe(network, image_size)


def behind_map(network: nn.Module, image_size: int) -> tuple[nn.Parameter, ...]:
    """The parameters that the last feature map does not depend on.

    They are those of the classifier, and of the layers that some networks have between the map and
    the pooled vector.
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
    features = features_of(network, torch.zeros(1, 3, image_size, image_size))
    for module, training in modes.items():
        module.training = training
    return features
