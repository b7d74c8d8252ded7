"""The hard-label loss of findings, against its formula written out."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from edgekd.distill.losses import positive_weights, weighted_binary_cross_entropy

LOGITS = [[2.0, -1.0, 0.5], [-3.0, 0.0, 4.0]]
TARGETS = [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
WEIGHTS = [3.0, 0.5, 1.0]


def by_hand(weights: list[float], smoothing: float) -> float:
    total = 0.0
    for logits, targets in zip(LOGITS, TARGETS, strict=True):
        for z, target, weight in zip(logits, targets, weights, strict=True):
            p, y = 1 / (1 + math.exp(-z)), (1 - smoothing) * target + smoothing / 2
            total -= weight * y * math.log(p) + (1 - y) * math.log(1 - p)
    return total / 6


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_formula(weights: list[float] | None, smoothing: float) -> None:
    given = None if weights is None else torch.tensor(weights)
    logits = torch.tensor(LOGITS, dtype=torch.float64)
    loss = weighted_binary_cross_entropy(logits, torch.tensor(TARGETS), given, smoothing)
    assert loss.item() == pytest.approx(by_hand(weights or [1.0] * 3, smoothing), rel=1e-12)


def test_logits_far_out_stay_finite() -> None:
    logits = torch.tensor([[200.0, -200.0]], requires_grad=True)
    loss = weighted_binary_cross_entropy(logits, torch.tensor([[0.0, 1.0]]))
    loss.backward()
    assert loss.item() == pytest.approx(200.0)
    assert isinstance(logits.grad, Tensor)
    assert torch.isfinite(logits.grad).all()


def test_weights_are_the_odds_of_absence() -> None:
    assert positive_weights([10, 50], 100, "full").tolist() == pytest.approx([9.0, 1.0])
    assert positive_weights([10, 50], 100, "sqrt").tolist() == pytest.approx([3.0, 1.0])
    assert positive_weights([10, 50], 100, "none").tolist() == [1.0, 1.0]


@pytest.mark.parametrize("balance", ["none", "sqrt", "full"])
def test_a_finding_in_no_image_or_in_all_keeps_weight_1(balance: str) -> None:
    assert positive_weights([0, 100], 100, balance).tolist() == [1.0, 1.0]


def test_full_weights_make_presence_and_absence_equal() -> None:
    """At z = 0 the gradient of a finding over all images vanishes."""
    targets = torch.zeros(20, 1)
    targets[:3] = 1.0
    logits = torch.zeros(20, 1, requires_grad=True)
    weights = positive_weights([3], 20, "full")
    weighted_binary_cross_entropy(logits, targets, weights).backward()
    assert logits.grad is not None
    assert logits.grad.sum().item() == pytest.approx(0.0, abs=1e-6)
