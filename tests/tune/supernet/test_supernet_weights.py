"""Shared weights: every architecture is a real network, and trains its own part alone."""

from __future__ import annotations

from random import Random

import pytest
import torch
from small_space import SMALL
from torch import nn

from edgekd.models.mobile import Mobile
from edgekd.tune.supernet.choices import drawn
from edgekd.tune.supernet.weights import Supernet, recalibrated


@pytest.fixture(scope="module")
def supernet() -> Supernet:
    torch.manual_seed(0)
    return Supernet(SMALL, 5)


def images(seed: int = 0, count: int = 8) -> torch.Tensor:
    return torch.randn(count, 3, 24, 24, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("seed", range(6))
def test_an_architecture_gives_what_its_network_gives(supernet: Supernet, seed: int) -> None:
    options = drawn(SMALL, Random(seed))
    network = supernet.network(options)
    assert isinstance(network, Mobile)
    torch.testing.assert_close(
        supernet(options, images()), network.train()(images()), atol=1e-5, rtol=1e-5
    )


def test_kernels_have_depthwise_weights_of_their_own_and_widths_share(supernet: Supernet) -> None:
    names = dict(supernet.named_parameters())
    assert names["stages-2-0-depthwise-0-weight-3"].shape == (24, 1, 3, 3)
    assert names["stages-2-0-depthwise-0-weight-5"].shape == (24, 1, 5, 5)
    assert "stages-2-0-project-0-weight" in names
    small, large = (supernet.weights_of(each) for each in (SMALL.smallest, SMALL.largest))
    name = "stages.2.0.project.0.weight"
    assert small[name].equal(large[name][:6, :12])
    assert small[name].data_ptr() == large[name].data_ptr()


def test_a_step_reaches_the_weights_of_the_path_alone(supernet: Supernet) -> None:
    supernet.zero_grad()
    supernet(SMALL.smallest, images()).square().sum().backward()
    gradients = {name: weight.grad for name, weight in supernet.named_parameters()}
    assert gradients["stages-2-0-depthwise-0-weight-5"] is None
    assert gradients["stages-2-1-project-0-weight"] is None
    gradient = gradients["stages-2-0-project-0-weight"]
    assert gradient is not None
    assert gradient[:6, :12].abs().min() > 0
    assert gradient[6:].abs().max() == 0
    assert gradient[:, 12:].abs().max() == 0
    supernet.zero_grad()


def test_a_network_is_a_copy(supernet: Supernet) -> None:
    network = supernet.network(SMALL.smallest)
    before = supernet.weights_of(SMALL.smallest)["classifier.weight"].clone()
    nn.init.zeros_(network.classifier.weight)
    assert supernet.weights_of(SMALL.smallest)["classifier.weight"].equal(before)


def test_recalibration_takes_the_mean_over_batches(supernet: Supernet) -> None:
    network = supernet.network(SMALL.smallest)
    batches = [images(seed) for seed in range(3)]
    maps = [network.stem[0](each) for each in batches]
    recalibrated(network, batches)
    assert not network.training
    norm = network.stem[1]
    torch.testing.assert_close(
        norm.running_mean, torch.stack([each.mean((0, 2, 3)) for each in maps]).mean(0)
    )
    torch.testing.assert_close(
        norm.running_var, torch.stack([each.var((0, 2, 3)) for each in maps]).mean(0)
    )
    assert norm.momentum == 0.1


def test_recalibration_forgets_what_was_before(supernet: Supernet) -> None:
    fresh = recalibrated(supernet.network(SMALL.smallest), [images()])
    other = recalibrated(supernet.network(SMALL.smallest), [100 * images(1)])
    recalibrated(other, [images()])
    assert other(images(2)).equal(fresh(images(2)))
