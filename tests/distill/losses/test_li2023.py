"""The curriculum's factor and the bounded temperature, against the released code's arrays."""

from __future__ import annotations

import pytest
import torch

from edgekd.distill.losses import (
    bounded_temperature,
    reversal,
    reversed_gradient,
    softened_kl,
)


def test_the_schedule_of_the_golden(golden, agree, precision):
    wanted = golden("ctkd")["lambda_epoch_0_to_15"]
    agree(torch.tensor([reversal(epoch) for epoch in range(16)], dtype=precision), wanted)


def test_the_gradients_of_the_golden(golden, agree, precision):
    g = golden("ctkd")
    raw = torch.ones((), dtype=precision, requires_grad=True)
    loss = softened_kl(g["logits_s"], g["logits_t"], bounded_temperature(raw))
    agree(torch.autograd.grad(loss, raw)[0], g["grad_raw_tau_no_reversal_at_init"][0])
    raw, student = g["final_raw_tau"][0].requires_grad_(), g["logits_s"].requires_grad_()
    temperature = bounded_temperature(reversed_gradient(raw, -1.0))
    softened_kl(student, g["logits_t"], temperature).backward()
    agree(student.grad, g["grad_student_logits_lambda_minus1_final"])


def test_without_a_factor_theta_stays():
    raw = torch.ones((), requires_grad=True)
    reversed_gradient(raw, reversal(0)).backward()
    assert raw.grad == 0


def test_the_linear_schedule():
    found = [reversal(epoch, 4, "linear") for epoch in range(6)]
    assert found == [0.0, -0.25, -0.5, -0.75, -1.0, -1.0]
    assert reversal(1, 1) == pytest.approx(-1.0)
