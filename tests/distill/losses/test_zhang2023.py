"""Balanced distillation: the released code, and what balancing does to a teacher."""

from __future__ import annotations

import pytest
import torch
from loss_checks import close, drawn

from edgekd.distill.losses import (
    balanced_teacher,
    balancing_class_weights,
    balancing_finding_weights,
    softened_kl,
)


@pytest.mark.parametrize("temperature", [1.0, 2.0, 4.0])
def test_the_released_code(temperature, golden, agree):
    g = golden("bkd")
    teacher = balanced_teacher(g["logits_t"], g["effective_weights"], temperature)
    agree(softened_kl(g["logits_s"], teacher, temperature), g[f"bkd_T{temperature:g}"])


def test_the_released_gradient(golden, agree):
    g = golden("bkd")
    student = g["logits_s"].requires_grad_()
    softened_kl(
        student, balanced_teacher(g["logits_t"], g["effective_weights"], 2.0), 2.0
    ).backward()
    agree(student.grad, g["bkd_grad_T2"])


def test_the_released_weights(golden):
    g = golden("bkd")
    weights = balancing_class_weights(g["counts"].tolist(), "effective")
    torch.testing.assert_close(weights, g["effective_weights"].float())


@pytest.mark.parametrize(("balance", "ratio"), [("none", 1.0), ("sqrt", 2.0), ("full", 4.0)])
def test_weights(balance, ratio):
    assert (weights := balancing_class_weights((80, 20), balance))[1] / weights[0] == ratio
    assert balancing_finding_weights((20,), 100, balance).item() == pytest.approx(ratio)


def test_a_class_without_images_and_a_finding_in_all_have_finite_weights():
    assert balancing_class_weights((80, 0), "full").isfinite().all()
    assert balancing_finding_weights((0, 10), 10, "effective").tolist() == [1.0, 1.0]


def test_probabilities_are_multiplied_and_normalised():
    teacher, weights = drawn(3, 4), torch.tensor([1.0, 2.0, 3.0, 0.5], dtype=torch.float64)
    wanted = (teacher / 3.0).softmax(dim=1) * weights
    balanced = balanced_teacher(teacher, weights, 3.0) / 3.0
    close(balanced.softmax(dim=1), wanted / wanted.sum(dim=1, keepdim=True))
    present = (teacher / 3.0).sigmoid()
    close(balanced.sigmoid(), weights * present / (weights * present + 1 - present))


def test_each_image_may_have_its_temperature():
    teacher, weights = drawn(2, 3), torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    both = balanced_teacher(teacher, weights, torch.tensor([1.0, 5.0], dtype=torch.float64))
    close(both[1:], balanced_teacher(teacher[1:], weights, 5.0))
