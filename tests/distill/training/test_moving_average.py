"""The copy that follows a network."""

from __future__ import annotations

import pytest
from torch import nn

from edgekd.distill.losses import (
    average_decay,
)
from edgekd.distill.training.moving_average import MovingAverage


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
