"""Feature taps give what the plain forward gives."""

from __future__ import annotations

import pytest
import timm
import torch
from torch import nn

from edgekd.errors import InputError
from edgekd.models import NormalisedNetwork
from edgekd.models.features import behind_map, features_of, probe

SHAPES = {
    "mobilenetv2_050": ((1280, 2, 2), 1280),
    "resnet18": ((512, 2, 2), 512),
    "tf_efficientnet_lite0": ((1280, 2, 2), 1280),
    "mobilenetv3_small_100": ((576, 2, 2), 1024),
    "resnet10t": ((512, 2, 2), 512),
}


@pytest.fixture(params=SHAPES)
def arch(request: pytest.FixtureRequest) -> str:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    return request.param


def test_taps_of(arch):
    network = timm.create_model(arch, num_classes=7).eval()
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        taps, plain = features_of(network, images), network(images)
    features, pooled = SHAPES[arch]
    assert taps.features.shape == (2, *features)
    assert taps.pooled.shape == (2, pooled)
    assert taps.logits.equal(plain)


@pytest.mark.parametrize("training", [False, True])
def test_taps_behind_a_normalisation(arch, training):
    network = timm.create_model(arch, num_classes=7, drop_rate=0.2)
    normalised = NormalisedNetwork(network, (0.5, 0.4, 0.3), (0.2, 0.3, 0.1)).train(training)
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        torch.manual_seed(1)
        plain = normalised(images)
        torch.manual_seed(1)
        assert features_of(normalised, images).logits.equal(plain)


def test_no_hooks_are_left(arch):
    network = timm.create_model(arch, num_classes=7).eval()
    before = [len(module._forward_hooks) for module in network.modules()]
    for _ in range(3):
        probe(network, 32)
    assert [len(module._forward_hooks) for module in network.modules()] == before


def test_probing_leaves_the_network_as_it_was():
    network = timm.create_model("resnet10t", num_classes=7).train()
    network.layer1.eval()
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    random = torch.get_rng_state()
    assert probe(network, 64).features.shape == (1, 512, 2, 2)
    assert network.training
    assert not network.layer1.training
    assert all(tensor.equal(state[name]) for name, tensor in network.state_dict().items())
    assert torch.get_rng_state().equal(random)


def test_gradients_flow_from_every_tap():
    network = timm.create_model("mobilenetv3_small_100", num_classes=3)
    taps = features_of(network, torch.rand(2, 3, 32, 32))
    for tensor in (taps.features, taps.pooled, taps.logits):
        (gradient,) = torch.autograd.grad(
            tensor.square().sum(), network.conv_stem.weight, retain_graph=True
        )
        assert gradient.abs().sum() > 0


def test_a_network_without_taps_is_refused():
    with pytest.raises(InputError, match="does not give its features"):
        features_of(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), torch.rand(1, 3, 2, 2))


def test_a_network_without_a_map_is_refused():
    network = timm.create_model("test_vit", num_classes=3)
    with pytest.raises(InputError, match="no feature map"):
        features_of(network, torch.rand(1, 3, 160, 160))


@pytest.mark.parametrize(
    ("arch", "wanted"),
    [("resnet10t", {"fc"}), ("mobilenetv3_small_050", {"conv_head", "classifier"})],
)
def test_the_parameters_behind_the_map(arch, wanted):
    """Of a MobileNetV3 a convolution too: it follows the pooling."""
    network = timm.create_model(arch, num_classes=5).train()
    next(network.parameters()).requires_grad_(False)
    found = {id(parameter) for parameter in behind_map(network, 64)}
    names = [name for name, parameter in network.named_parameters() if id(parameter) in found]
    assert {name.split(".")[0] for name in names} == wanted
    assert [p.requires_grad for p in network.parameters()].count(False) == 1
    assert all(module.training for module in network.modules())
    assert all(parameter.grad is None for parameter in network.parameters())
