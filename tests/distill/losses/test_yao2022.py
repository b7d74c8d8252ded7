"""The multi-weighted loss: the released code, numbers by hand, and its limit."""

from __future__ import annotations

import math

import pytest
import torch
from loss_checks import close, drawn

from edgekd.distill.losses import (
    binary_focal_loss,
    multi_weighted_binary_focal_loss,
    multi_weighted_focal_loss,
)


@pytest.mark.parametrize(("gamma", "beta"), [(0.0, 0.1), (2.0, 0.0), (2.0, 0.1), (1.5, 0.3)])
def test_the_released_code(gamma, beta, golden, agree):
    """It divides by the number of classes too; enlarged, it is 30 times the unnormalised mean."""
    g = golden("skin_focal")
    logits = g["logits"].requires_grad_()
    classes, name = logits.shape[1], f"g{gamma:g}_b{beta:g}"
    loss = multi_weighted_focal_loss(logits, g["target"], g["class_weight"], gamma, beta) / classes
    agree(loss, g[f"mwn_{name}"])
    (gradient,) = torch.autograd.grad(loss, logits)
    agree(gradient, g[f"mwn_grad_{name}"])
    agree(30 * loss * g["class_weight"][g["target"]].mean(), g[f"mwn_enlarged_{name}"])


def test_numbers_by_hand():
    """Right with σ = 0.9, and two other classes denied with 0.5 and 0.001: beyond the limit."""
    logits = torch.tensor([[9.0, 1.0, 999.0]], dtype=torch.float64).log()
    expected = 0.01 * math.log(1 / 0.9) + 0.25 * math.log(2.0) + 0.999**2 * math.log(1 / 0.1)
    close(multi_weighted_focal_loss(logits, torch.tensor([0])), expected)
    present = torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64)
    close(multi_weighted_binary_focal_loss(logits, present), expected / 3)


def test_without_a_limit_it_is_focal():
    logits, present = drawn(4, 3), (drawn(4, 3, seed=1) > 0).double()
    weights = torch.tensor([1.0, 5.0, 2.0], dtype=torch.float64)
    found = multi_weighted_binary_focal_loss(logits, present, weights, 1.5, 0.0)
    close(found, binary_focal_loss(logits, present, weights, 1.5))


def test_a_gross_error_pulls_less_than_a_mistake():
    """The gradient of an image that is far beyond the limit next to nothing."""
    logits = torch.tensor([[-1.0], [-12.0]], requires_grad=True)
    multi_weighted_binary_focal_loss(logits, torch.ones(2, 1)).backward()
    mistake, gross = logits.grad.flatten().abs().tolist()
    assert gross < 1e-3 * mistake


def test_a_batch_of_classes_without_weight_costs_nothing():
    weights, targets = torch.tensor([1.0, 0.0, 2.0]), torch.ones(4, dtype=torch.int64)
    close(multi_weighted_focal_loss(drawn(4, 3).float(), targets, weights), 0.0)
