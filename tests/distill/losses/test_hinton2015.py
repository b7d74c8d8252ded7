"""Softened outputs: limits, invariances, and the released code's arrays."""

from __future__ import annotations

import pytest
import torch
from loss_checks import close, drawn

from edgekd.distill.losses import (
    softened_kl,
)


@pytest.mark.parametrize("side", [0, 1])
def test_softened_kl_ignores_a_constant_on_the_logits(side):
    logits = [drawn(6, 5), drawn(6, 5, seed=1)]
    before = softened_kl(*logits, 4.0)
    logits[side] = logits[side] + drawn(6, 1, seed=2)
    close(softened_kl(*logits, 4.0), before)


def test_softened_kl_of_a_high_temperature_is_the_distance_of_centred_logits():
    student, teacher = drawn(6, 5), drawn(6, 5, seed=1)
    centred = [logits - logits.mean(1, keepdim=True) for logits in (student, teacher)]
    limit = 0.5 * (centred[0] - centred[1]).square().mean(1).mean()
    close(softened_kl(student, teacher, 1e4), limit, atol=1e-3)


def test_softened_kl_weighs_samples():
    student, teacher = drawn(6, 5), drawn(6, 5, seed=1)
    weights = torch.tensor([1.0, 0, 0, 0, 0, 0], dtype=torch.float64)
    close(softened_kl(student, teacher, 2.0, weights), softened_kl(student[:1], teacher[:1], 2.0))


@pytest.mark.parametrize("temperature", [1, 2, 4, 5, 20])
def test_softened_kl(golden, agree, temperature):
    g = golden("kd_plain")
    found = softened_kl(g["logits_s"], g["logits_t"], temperature)
    agree(found, g[f"kd_T{temperature}"])


def test_softened_kl_gradient(golden, agree):
    g = golden("kd_plain")
    student = g["logits_s"].requires_grad_()
    (gradient,) = torch.autograd.grad(softened_kl(student, g["logits_t"], 4.0), student)
    agree(gradient, g["grad_T4_wrt_student"])
