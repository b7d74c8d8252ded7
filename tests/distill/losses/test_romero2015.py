"""The hint between two maps."""

from __future__ import annotations

import torch
from loss_checks import close

from edgekd.distill.losses import (
    hint,
)


def test_a_hint_is_half_the_mean_square():
    close(hint(torch.full((1, 2, 2, 2), 3.0), torch.zeros(1, 2, 2, 2)), 4.5)
