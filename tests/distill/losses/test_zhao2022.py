"""Decoupled distillation: its parts make up the whole divergence."""

from __future__ import annotations

import pytest
import torch
from loss_checks import close, drawn

from edgekd.distill.losses import (
    non_target_kl,
    softened_kl,
    target_kl,
)


def test_decoupled_parts_make_up_the_whole():
    """KL = TCKD + (1 − p_target)·NCKD, for one sample at T = 1 (equation 7 of the paper)."""
    student, teacher = drawn(1, 5), drawn(1, 5, seed=1)
    target = torch.tensor([3])
    others = 1 - teacher.softmax(1)[0, 3]
    parts = target_kl(student, teacher, target, 1.0) + others * non_target_kl(
        student, teacher, target, 1.0
    )
    close(softened_kl(student, teacher, 1.0), parts)


def test_two_classes_have_no_other_classes():
    found = non_target_kl(drawn(4, 2), drawn(4, 2, seed=1), torch.tensor([0, 1, 1, 0]), 4.0)
    close(found, 0.0)


def test_sure_logits_stay_finite():
    student = torch.tensor([[200.0, -200.0, 0.0]], requires_grad=True)
    teacher = torch.tensor([[-200.0, 200.0, 0.0]])
    target = torch.tensor([0])
    logits = (student, teacher, target, 1.0)
    loss = target_kl(*logits) + non_target_kl(*logits) + softened_kl(student, teacher, 1.0)
    loss.backward()
    assert loss.isfinite()
    assert student.grad.isfinite().all()


@pytest.mark.parametrize("temperature", [1, 4])
@pytest.mark.parametrize("beta", [2, 8])
def test_decoupled(golden, agree, beta, temperature):
    g = golden("kd_plain")
    logits = g["logits_s"], g["logits_t"], g["target"], temperature
    agree(target_kl(*logits) + beta * non_target_kl(*logits), g[f"dkd_a1_b{beta}_T{temperature}"])
