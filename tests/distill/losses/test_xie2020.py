"""UDA's term against the golden, and at its limits."""

from __future__ import annotations

import torch
from loss_checks import close, drawn

from edgekd.distill.losses import sharpened_consistency


def test_the_golden(golden, agree):
    g = golden("spec_smpl")
    strong, weak = (g[name] @ g["W"].T for name in ("x_strong", "x_weak"))
    found = sharpened_consistency(strong, weak, 0.7, 0.6)
    agree(found, g["uda_loss"])
    kept = (weak / 0.7).softmax(1).amax(1) >= 0.6
    assert kept.tolist() == g["uda_mask"].bool().tolist()


def test_no_image_that_is_sure_enough_costs_nothing():
    strong = drawn(4, 3).requires_grad_()
    found = sharpened_consistency(strong, torch.zeros(4, 3).double(), 0.7, 0.6)
    found.backward()
    assert found == 0.0
    assert not strong.grad.any()


def test_no_gradient_reaches_the_weak_view():
    strong, weak = drawn(4, 3).requires_grad_(), drawn(4, 3, seed=1).requires_grad_()
    sharpened_consistency(strong, weak, 0.7, 0.0).backward()
    assert strong.grad.any()
    assert weak.grad is None


def test_without_sharpening_or_threshold_it_is_cross_entropy_of_distributions():
    strong, weak = drawn(4, 3), drawn(4, 3, seed=1)
    rows = [-(w.softmax(0) * s.log_softmax(0)).sum() for s, w in zip(strong, weak, strict=True)]
    close(sharpened_consistency(strong, weak, 1.0, 0.0), torch.stack(rows).mean())
