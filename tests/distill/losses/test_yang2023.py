"""The divergence of softened findings, against its formula and against its special cases."""

from __future__ import annotations

import math

import pytest
import torch

from edgekd.distill.losses import softened_binary_kl, softened_kl

STUDENT = torch.tensor([[2.0, -1.0, 0.5], [-3.0, 0.0, 4.0]], dtype=torch.float64)
TEACHER = torch.tensor([[1.0, -2.0, 1.5], [-1.0, 0.5, 2.0]], dtype=torch.float64)


def divergence(student: float, teacher: float, temperature: float) -> float:
    q, p = (1 / (1 + math.exp(-z / temperature)) for z in (student, teacher))
    return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_formula(temperature: float) -> None:
    pairs = zip(STUDENT.flatten().tolist(), TEACHER.flatten().tolist(), strict=True)
    wanted = temperature**2 * sum(divergence(s, t, temperature) for s, t in pairs) / 6
    assert softened_binary_kl(STUDENT, TEACHER, temperature).item() == pytest.approx(wanted)


def test_a_finding_is_a_softmax_over_two_classes() -> None:
    """σ(z) is the softmax of (z, 0): one finding alone is Hinton's loss on two classes."""
    student, teacher = STUDENT[:, :1], TEACHER[:, :1]
    two = [torch.cat((z, torch.zeros_like(z)), dim=1) for z in (student, teacher)]
    torch.testing.assert_close(
        softened_binary_kl(student, teacher, 3.0), softened_kl(two[0], two[1], 3.0)
    )


def test_one_temperature_for_each_image() -> None:
    each = [softened_binary_kl(STUDENT[i : i + 1], TEACHER[i : i + 1], t) for i, t in
            enumerate((1.0, 5.0))]  # fmt: skip
    both = softened_binary_kl(STUDENT, TEACHER, torch.tensor([1.0, 5.0], dtype=torch.float64))
    torch.testing.assert_close(both, torch.stack(each).mean())


def test_weights_make_a_weighted_mean() -> None:
    weights = torch.zeros_like(STUDENT)
    weights[1, 2] = 7.0
    loss = softened_binary_kl(STUDENT, TEACHER, 2.0, weights)
    assert loss.item() == pytest.approx(4 * divergence(4.0, 2.0, 2.0))


def test_equal_outputs_cost_nothing_and_the_teacher_gets_no_gradient() -> None:
    student, teacher = STUDENT.clone().requires_grad_(), TEACHER.clone().requires_grad_()
    softened_binary_kl(student, teacher, 2.0).backward()
    assert teacher.grad is None
    assert softened_binary_kl(teacher, teacher, 2.0).item() == pytest.approx(0.0, abs=1e-12)


def test_half_precision_is_widened() -> None:
    half = softened_binary_kl(STUDENT.bfloat16(), TEACHER.bfloat16(), 2.0)
    assert half.dtype == torch.float32
