"""Rows that count more or less: as if they stood more or less often in the batch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from edgekd.distill.losses import (
    binary_focal_loss,
    focal_loss,
    multi_weighted_binary_focal_loss,
    multi_weighted_focal_loss,
    weighted_binary_cross_entropy,
    weighted_cross_entropy,
)
from edgekd.distill.losses.label_means import mean_over_occurring, mean_over_rows

LOGITS = 3 * torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
CLASSES = torch.tensor([0, 1, 2, 3, 0])
FINDINGS = (torch.rand(5, 4, generator=torch.Generator().manual_seed(1)) > 0.5).float()
WEIGHTS = torch.tensor([0.5, 1.0, 3.0, 2.0])
TIMES = torch.tensor([1, 4, 2, 3, 2])

LOSSES: dict[str, tuple[Callable[..., Tensor], Tensor]] = {
    "cross_entropy": (weighted_cross_entropy, CLASSES),
    "smoothed": (partial(weighted_cross_entropy, label_smoothing=0.2), CLASSES),
    "focal": (focal_loss, CLASSES),
    "multi_weighted": (multi_weighted_focal_loss, CLASSES),
    "binary": (weighted_binary_cross_entropy, FINDINGS),
    "binary_smoothed": (partial(weighted_binary_cross_entropy, label_smoothing=0.2), FINDINGS),
    "binary_focal": (binary_focal_loss, FINDINGS),
    "binary_multi_weighted": (multi_weighted_binary_focal_loss, FINDINGS),
}


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize("name", LOSSES)
def test_a_share_counts_as_so_many_repetitions(name, weights):
    loss, targets = LOSSES[name]
    shares = TIMES / 10
    repeated = loss(
        LOGITS.repeat_interleave(TIMES, 0), targets.repeat_interleave(TIMES, 0), weights
    )
    torch.testing.assert_close(loss(LOGITS, targets, weights, shares=shares), repeated)
    torch.testing.assert_close(
        loss(LOGITS, targets, weights, shares=torch.ones(5)), loss(LOGITS, targets, weights)
    )


def test_a_batch_of_classes_without_a_weight_has_no_loss():
    shares = torch.tensor([0.5, 0.5])
    args = torch.tensor([0.0, 0.0]), torch.tensor([1, 1]), torch.tensor([1.0, 0.0])
    assert mean_over_occurring(*args, None) == 0
    assert mean_over_occurring(*args, shares) == 0


def test_rows_without_shares_count_the_same():
    losses = torch.tensor([[1.0, 3.0], [5.0, 7.0]])
    assert mean_over_rows(losses, None) == 4
    assert mean_over_rows(losses, torch.tensor([1.0, 0.0])) == 2
    assert mean_over_rows(losses, torch.tensor([0.25, 0.75])) == 5
