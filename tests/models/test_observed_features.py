"""Features of networks that are not timm's."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from colours import colours_network
from torch import nn
from torchvision.models import VisionTransformer

from edgekd.errors import InputError
from edgekd.models import NormalisedNetwork, create_network
from edgekd.models.features import behind_map, features_of, probe
from edgekd.models.observed_features import observed_features

SHAPES: dict[tuple[str, int], tuple[tuple[int, ...], int]] = {
    ("shufflenet_v2_x0_5", 64): ((1024, 2, 2), 1024),
    ("mobilenet_v3_small", 64): ((576, 2, 2), 1024),
    ("resnet18", 32): ((512, 1, 1), 512),
}


@pytest.mark.parametrize(("arch", "side"), SHAPES)
def test_networks_of_torchvision(arch: str, side: int) -> None:
    torch.manual_seed(0)
    network = create_network(f"torchvision:{arch}", 5).eval()
    images = torch.rand(2, 3, side, side)
    before = [len(module._forward_hooks) for module in network.modules()]
    with torch.no_grad():
        features = features_of(network, images)
        assert features.logits.equal(network(images))
    channels, width = SHAPES[arch, side]
    assert features.features.shape == (2, *channels)
    assert features.pooled.shape == (2, width)
    assert [len(module._forward_hooks) for module in network.modules()] == before


def test_a_norm_behind_the_pooling_is_not_the_map() -> None:
    blocks = [nn.Conv2d(3, 8, 3), nn.ReLU()]
    head = [nn.AdaptiveAvgPool2d(1), nn.GroupNorm(1, 8), nn.Flatten(), nn.Linear(8, 2)]
    last_map, pooled, _ = observed_features(nn.Sequential(*blocks, *head), torch.rand(2, 3, 9, 9))
    assert last_map.shape == (2, 8, 7, 7)
    assert pooled.shape == (2, 8)


class Gated(nn.Module):
    """A network with a gate of its channels before its last convolution, and two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 6, 1)
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 4, 1), nn.Sigmoid())
        self.pool, self.head = (
            nn.AdaptiveAvgPool2d(2),
            nn.Sequential(nn.Linear(24, 5), nn.Linear(5, 3)),
        )

    def forward(self, images: Any) -> Any:
        features = self.first(images)
        return self.head(self.pool(self.last(features * self.gate(features))).flatten(1))


def test_a_pooling_to_a_grid_and_a_head_of_two_layers() -> None:
    last_map, pooled, logits = observed_features(Gated(), torch.rand(2, 3, 9, 9))
    assert (last_map.shape, pooled.shape, logits.shape) == ((2, 6, 7, 7), (2, 5), (2, 3))


def test_gradients_flow_and_what_is_behind_the_map_is_known() -> None:
    network = colours_network()
    features = features_of(network, torch.rand(2, 3, 8, 8))
    (slope,) = torch.autograd.grad(features.features.sum(), network.stem.weight)
    assert slope.abs().sum() > 0
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    assert {names[id(p)] for p in behind_map(network, 16)} == {"fc.weight", "fc.bias"}
    assert probe(NormalisedNetwork(network, (0.5,) * 3, (0.5,) * 3), 16).pooled.shape == (1, 3)


@pytest.mark.parametrize(
    "network",
    [
        nn.Sequential(nn.Conv2d(3, 4, 8), nn.Flatten()),
        nn.Sequential(nn.Flatten(), nn.Linear(192, 3)),
    ],
    ids=["no linear layer", "no map"],
)
def test_networks_without_features_are_refused(network: nn.Module) -> None:
    with pytest.raises(InputError, match="does not give its features"):
        observed_features(network, torch.rand(1, 3, 8, 8))


def test_transformers_have_no_map() -> None:
    network = VisionTransformer(32, 16, num_layers=1, num_heads=1, hidden_dim=8, mlp_dim=8).eval()
    with pytest.raises(InputError, match="VisionTransformer does not give its features"):
        features_of(network, torch.rand(1, 3, 32, 32))
