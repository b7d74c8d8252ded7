"""The deploy graph is the network, with its preparation inside."""

from __future__ import annotations

import copy
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn

from edgekd.lower.graph import DeployGraph, FeatureNetwork, deploy_graph

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def images(count: int = 1, size: int = 8) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, size, size, 3), dtype=torch.uint8, generator=generator)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Flatten(), nn.Linear(144, 5)
    )


def test_normalisation_is_that_of_training() -> None:
    graph = deploy_graph(nn.Identity(), MEAN, STD)
    pixels = images().double().permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(value).double().reshape(1, 3, 1, 1) for value in (MEAN, STD))
    torch.testing.assert_close(graph(images()).double(), (pixels - mean) / std, atol=1e-6, rtol=0)


def test_graph_equals_the_network_bit_for_bit() -> None:
    plain = network().eval()
    graph = deploy_graph(plain, MEAN, STD)
    with torch.no_grad():
        assert torch.equal(graph(images(3)), plain(graph.normalise(images(3))))


def test_contract() -> None:
    logits = deploy_graph(network(), MEAN, STD)(images())
    assert (logits.dtype, tuple(logits.shape)) == (torch.float32, (1, 5))


def test_callers_network_stays_as_it_is() -> None:
    plain = network().train()
    before = copy.deepcopy(plain.state_dict())
    graph = deploy_graph(plain, MEAN, STD)
    graph(images(4))
    assert plain.training
    assert not graph.training
    assert all(parameter.requires_grad for parameter in plain.parameters())
    assert not any(parameter.requires_grad for parameter in graph.parameters())
    assert all(torch.equal(value, before[key]) for key, value in plain.state_dict().items())


@pytest.mark.parametrize(
    ("mean", "std"), [((0.5,), STD), (MEAN, (0.2, 0.2)), (MEAN, (0.2, 0.0, 0.2))]
)
def test_wrong_statistics_are_refused(mean: Any, std: Any) -> None:
    with pytest.raises(ValueError, match="three values"):
        DeployGraph(nn.Identity(), mean, std)


@pytest.mark.parametrize(
    "module",
    [
        "edgekd.lower.backends",
        "edgekd.lower.backends.tensorrt.builder",
        "edgekd.lower.jobs.conversion",
    ],
)
def test_light_modules_do_not_import_torch(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_network_of_features_gives_what_its_classifier_reads() -> None:
    import timm

    torch.manual_seed(0)
    plain = timm.create_model("resnet10t", num_classes=3, channels=(4, 4, 8, 8), stem_width=4)
    outputs = deploy_graph(plain, MEAN, STD)
    features = deploy_graph(FeatureNetwork(plain), MEAN, STD)
    with torch.no_grad():
        found = features(images(2, 32))
        assert found.shape == (2, 8)
        torch.testing.assert_close(plain.fc(found), outputs(images(2, 32)))
