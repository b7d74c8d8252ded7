"""Focal loss: the released code of the skin-lesion paper, numbers by hand, and its limits."""

from __future__ import annotations

import math

import pytest
import torch
from loss_checks import close, drawn

from edgekd.distill.losses import (
    binary_focal_loss,
    focal_loss,
    weighted_binary_cross_entropy,
    weighted_cross_entropy,
)

TARGETS = torch.tensor([0, 2, 1, 1])
WEIGHTS = torch.tensor([1.0, 5.0, 2.0], dtype=torch.float64)
FINDINGS = torch.tensor([[1, 0, 1], [0, 0, 1], [1, 1, 0], [0, 1, 0]], dtype=torch.float64)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_the_released_code(gamma, golden, agree):
    g = golden("skin_focal")
    logits = g["logits"].requires_grad_()
    loss = focal_loss(logits, g["target"], g["class_weight"], gamma)
    agree(loss, g[f"focal_g{gamma:g}"])
    (gradient,) = torch.autograd.grad(loss, logits)
    agree(gradient, g[f"focal_grad_g{gamma:g}"])


def test_numbers_by_hand():
    """p = 0.9, 0.5 and 0.1 of the right class: −(1 − p)² log p, weighted 1, 2 and 5."""
    logits = torch.tensor([[9.0, 1.0], [1.0, 1.0], [1.0, 9.0]], dtype=torch.float64).log()
    targets = torch.tensor([0, 1, 0])
    each = [0.01 * math.log(1 / 0.9), 0.25 * math.log(2.0), 0.81 * math.log(10.0)]
    close(focal_loss(logits, targets), sum(each) / 3)
    weights = torch.tensor([1.0, 4.0], dtype=torch.float64)
    close(focal_loss(logits, targets, weights), (each[0] + 4 * each[1] + each[2]) / 6)


def test_findings_by_hand():
    """p = σ(z): present with 0.9, absent with 0.9, present with 0.1 (weight 3 where present)."""
    logits = torch.tensor([[9.0, 9.0, 1 / 9]], dtype=torch.float64).log()
    present = torch.tensor([[1.0, 0.0, 1.0]], dtype=torch.float64)
    each = [0.01 * math.log(1 / 0.9), 0.81 * math.log(10.0), 0.81 * math.log(10.0)]
    close(binary_focal_loss(logits, present), sum(each) / 3)
    weights = torch.full((3,), 3.0, dtype=torch.float64)
    close(binary_focal_loss(logits, present, weights), (3 * each[0] + each[1] + 3 * each[2]) / 3)


def test_without_a_focus_it_is_cross_entropy():
    logits = drawn(4, 3)
    close(
        focal_loss(logits, TARGETS, WEIGHTS, 0.0), weighted_cross_entropy(logits, TARGETS, WEIGHTS)
    )
    close(
        binary_focal_loss(logits, FINDINGS, WEIGHTS, 0.0),
        weighted_binary_cross_entropy(logits, FINDINGS, WEIGHTS),
    )


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_certain_outputs_have_finite_gradients(gamma, sign):
    """p that rounds to 1, whose (1 − p)^γ has no finite slope for γ < 1, and to 0."""
    logits = torch.tensor([[200.0 * sign, -200.0 * sign]], requires_grad=True)
    loss = focal_loss(logits, torch.tensor([0]), gamma=gamma)
    loss = loss + binary_focal_loss(logits, torch.tensor([[1.0, 0.0]]), gamma=gamma)
    loss.backward()
    assert loss.isfinite()
    assert logits.grad.isfinite().all()


def test_a_batch_of_classes_without_weight_costs_nothing():
    weights = torch.tensor([1.0, 0.0, 2.0])
    close(focal_loss(drawn(4, 3).float(), torch.ones(4, dtype=torch.int64), weights), 0.0)
