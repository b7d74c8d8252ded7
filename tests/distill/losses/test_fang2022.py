"""Terms by which images are made: the released code's arrays, and limiting cases."""

from __future__ import annotations

from math import log

import pytest
import torch
import torch.nn.functional as F
from loss_checks import close, drawn

from edgekd.distill.losses import (
    agreeing_divergence,
    batch_statistics,
    class_imbalance,
    softened_kl,
    statistics_distance,
)


def test_statistics_by_the_released_code(golden, agree):
    g = golden("fastdfkd")
    share, kept = 1.0 - float(g["bn_mmt"]), None
    for number in range(3):
        images = g[f"bn_input_{number}"].requires_grad_()
        now = batch_statistics(images)
        pairs = zip(now, kept or now, strict=True)
        seen = [share * new + (1 - share) * old for new, old in pairs]
        distance = statistics_distance(*seen, g["bn_running_mean"], g["bn_running_var"])
        agree(distance, g["r_feature"][number])
        agree(torch.autograd.grad(distance, images)[0], g[f"grad_input_{number}"])
        kept = [each.detach() for each in seen]
        agree(kept[0], g["mmt_mean_after"][number])
        agree(kept[1], g["mmt_var_after"][number])


def test_terms_by_the_released_code(golden, agree):
    g = golden("fastdfkd")
    teacher, student = g["teacher_logits"], g["student_logits"]
    adversarial = -agreeing_divergence(student, teacher)
    agree(adversarial, g["loss_adv"])
    one_hot = F.cross_entropy(teacher, g["target"])
    agree(10 * g["r_feature"][0] + 0.5 * one_hot + 1.33 * adversarial,
          g["synth_total_bn10_oh05_adv133"])  # fmt: skip
    agree(softened_kl(student, teacher, 20.0), g["kd_T20"])
    agree(class_imbalance(teacher), g["class_balance"])


def test_equal_statistics_cost_nothing_and_have_a_finite_gradient():
    images = drawn(4, 3, 5, 5).requires_grad_()
    mean, variance = batch_statistics(images)
    distance = statistics_distance(mean, variance, mean.detach(), variance.detach())
    close(distance, 0.0)
    assert torch.autograd.grad(distance, images)[0].equal(torch.zeros(4, 3, 5, 5))


def test_statistics_are_those_of_all_positions_of_a_channel():
    images = drawn(4, 3, 5, 5)
    mean, variance = batch_statistics(images)
    for channel in range(3):
        rows = images[:, channel].flatten().numpy()
        assert float(mean[channel]) == pytest.approx(rows.mean(), abs=1e-12)
        assert float(variance[channel]) == pytest.approx(rows.var(), abs=1e-12)


def test_no_divergence_counts_where_the_two_disagree():
    teacher, student = drawn(6, 5), drawn(6, 5, seed=1)
    agree = teacher.argmax(1) == student.argmax(1)
    assert agree.any()
    assert not agree.all()
    student.requires_grad_()
    (gradient,) = torch.autograd.grad(agreeing_divergence(student, teacher), student)
    assert gradient[~agree].equal(torch.zeros_like(gradient[~agree]))
    expected = softened_kl(student[agree], teacher[agree], 1.0) * agree.sum() / len(agree)
    close(agreeing_divergence(student, teacher), expected.detach())


def test_the_generator_learns_through_both_networks():
    teacher = drawn(6, 5).requires_grad_()
    student = (teacher.detach() * 0.7).requires_grad_()
    gradients = torch.autograd.grad(agreeing_divergence(student, teacher), (student, teacher))
    assert all(gradient.abs().sum() > 0 for gradient in gradients)


def test_balanced_classes_have_the_lowest_imbalance():
    close(class_imbalance(100.0 * torch.eye(5, dtype=torch.float64)), -log(5), atol=1e-9)
    alone = torch.zeros(4, 5, dtype=torch.float64)
    alone[:, 2] = 1e4
    close(class_imbalance(alone), 0.0)
