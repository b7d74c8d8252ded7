"""Attention maps and their transfer."""

from __future__ import annotations

import torch
from loss_checks import close, drawn

from edgekd.distill.losses import (
    attention_map,
    attention_transfer,
)


def test_attention_is_of_unit_length_and_channels_do_not_count():
    features = drawn(3, 7, 4, 4)
    close(attention_map(features).norm(dim=1), torch.ones(3, dtype=torch.float64))
    shuffled = features[:, torch.randperm(7)]
    close(attention_transfer(3 * shuffled, features), 0.0)
    assert attention_map(torch.zeros(1, 2, 3, 3)).equal(torch.zeros(1, 9))


def test_attention_of_a_larger_map_is_pooled():
    small = drawn(3, 7, 2, 2)
    large = small.repeat_interleave(2, 2).repeat_interleave(2, 3)
    close(attention_transfer(large, small), 0.0)
    close(attention_transfer(small, large), 0.0)
