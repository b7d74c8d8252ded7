"""The mean teacher's decay and ramp."""

from __future__ import annotations

import math

import pytest
import torch

from edgekd.distill.losses import (
    ramp_up,
)


def test_ramp(golden, agree):
    g = golden("crckd_mt")
    found = [ramp_up(int(epoch), 30) for epoch in g["ramp_epochs"]]
    agree(torch.tensor(found, dtype=g["ramp_sigmoid_len30"].dtype), g["ramp_sigmoid_len30"])
    assert ramp_up(0, 30) == pytest.approx(math.exp(-5))
    assert ramp_up(20, 30) == pytest.approx(0.574, abs=1e-3)
    assert ramp_up(30, 30) == ramp_up(79, 30) == ramp_up(0, 0) == 1.0
