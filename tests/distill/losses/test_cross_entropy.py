"""Hard labels and the weights of their classes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from loss_checks import close, drawn

from edgekd.distill.losses import (
    class_weights,
    softened_kl,
    weighted_cross_entropy,
)


@pytest.mark.parametrize(("balance", "ratio"), [("none", 1.0), ("sqrt", 2.0), ("full", 4.0)])
def test_class_weights(balance, ratio):
    weights = class_weights((80, 20, 0), balance)
    assert weights[1] / weights[0] == pytest.approx(ratio)
    assert weights[2] == 0
    assert (80 * weights[0] + 20 * weights[1]) / 100 == pytest.approx(1.0)


def test_hard_labels_are_normalised_by_the_weights_that_occur():
    logits, targets = drawn(4, 3), torch.tensor([0, 1, 1, 2])
    weights = torch.tensor([1.0, 5.0, 2.0], dtype=torch.float64)
    losses = F.cross_entropy(logits, targets, reduction="none")
    chosen = weights[targets]
    wanted = (chosen * losses).sum() / chosen.sum()
    close(weighted_cross_entropy(logits, targets, weights), wanted)
    close(weighted_cross_entropy(logits, targets, 7 * weights), wanted)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_batch_of_classes_without_weight_costs_nothing(smoothing):
    """A validation batch whose one class has no training image."""
    weights = torch.tensor([1.0, 0.0, 2.0])
    logits, targets = drawn(4, 3).float(), torch.ones(4, dtype=torch.int64)
    close(weighted_cross_entropy(logits, targets, weights, smoothing), 0.0)


def test_hard_and_soft_mixed(golden, agree):
    g = golden("kd_plain")
    hard = weighted_cross_entropy(g["logits_s"], g["target"], g["class_weight"])
    soft = softened_kl(g["logits_s"], g["logits_t"], 5.0)
    agree(0.5 * hard + 0.5 * soft, g["blkd_lam05_T5_wce"])
