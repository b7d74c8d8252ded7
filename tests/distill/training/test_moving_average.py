"""The copy that follows a network, and the average of weights that is kept."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edgekd.distill.losses import average_decay
from edgekd.distill.training.moving_average import MovingAverage, WeightAverage


def test_the_moving_average_follows_the_golden_trajectory(golden, agree):
    g = golden("crckd_mt")
    network = nn.Linear(3, 4, bias=False).to(g["ema_param"].dtype)
    network.load_state_dict({"weight": g["ema_init"]})
    average = MovingAverage(network, 0.99)
    network.load_state_dict({"weight": g["ema_param"]})
    for step, alpha, wanted in zip(
        g["ema_steps"], g["ema_alpha"], g["ema_trajectory"], strict=True
    ):
        average.updates.fill_(int(step))
        assert average_decay(int(step), 0.99) == pytest.approx(float(alpha), rel=1e-6)
        average.follow(network)
        agree(average.network.weight, wanted)
        assert int(average.updates) == int(step) + 1


def test_the_first_update_copies_the_student_and_the_limit_holds_from_the_hundredth():
    assert average_decay(0, 0.99) == 0.0
    assert average_decay(98, 0.99) < 0.99
    assert average_decay(99, 0.99) == pytest.approx(0.99)
    assert average_decay(5000, 0.99) == 0.99
    first, other = nn.Linear(3, 2), nn.Linear(3, 2)
    average = MovingAverage(first, 0.99)
    average.follow(other)
    assert all(
        a.equal(b) for a, b in zip(average.network.parameters(), other.parameters(), strict=True)
    )
    assert not any(parameter.requires_grad for parameter in average.parameters())


def normalised(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).to(
        memory_format=torch.channels_last
    )


def change(network: nn.Module, seed: int) -> None:
    """Other weights and other running statistics, as a step leaves them."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw))
        network.train()(torch.rand(2, 3, 8, 8, generator=draw))


def test_weights_and_running_statistics_are_averaged_alike():
    network = normalised()
    average = WeightAverage([network], 0.15)
    expected = {name: tensor.double() for name, tensor in network.state_dict().items()}
    for step, alpha in enumerate((0.1, 0.15, 0.15)):  # 1/10, then less than 2/11 and 3/12
        change(network, step)
        average.update()
        for name, tensor in network.state_dict().items():
            expected[name] = alpha * expected[name] + (1 - alpha) * tensor
    steps = int(network[1].num_batches_tracked)
    average.exchange()
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            torch.testing.assert_close(tensor.double(), expected[name], rtol=1e-5, atol=1e-6)
    assert int(network[1].num_batches_tracked) == steps == 3


def test_the_weights_come_back_bit_for_bit():
    network = normalised()
    average = WeightAverage([network], 0.9)
    change(network, 1)
    average.update()
    change(network, 2)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    def unchanged() -> bool:
        return all(tensor.equal(before[name]) for name, tensor in network.state_dict().items())

    average.exchange()
    assert not unchanged()
    with average.withdrawn():
        assert unchanged()
    assert not unchanged()
    average.exchange()
    assert unchanged()
    with average.withdrawn():
        assert unchanged()


def test_an_average_continues_from_its_state():
    first, second = normalised(), normalised(1)
    through = WeightAverage([first], 0.9)
    for step in range(2):
        change(first, step)
        through.update()
    second.load_state_dict(first.state_dict())
    resumed = WeightAverage([second], 0.9)
    resumed.load_state_dict(through.state_dict())
    for network, average in ((first, through), (second, resumed)):
        change(network, 2)
        average.update()
        average.exchange()
    for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert a.equal(b)


def test_a_shared_parameter_is_averaged_once():
    network = nn.Linear(2, 2)
    average = WeightAverage([network, nn.Sequential(network)], 0.0)
    with torch.no_grad():
        network.weight.fill_(7.0)
    average.update()
    average.exchange()
    assert network.weight.eq(7.0).all()
