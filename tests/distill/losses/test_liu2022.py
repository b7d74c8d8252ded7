"""Recursive label calibration: the released code's values, and what its cross-entropy is."""

from __future__ import annotations

from math import sqrt

import pytest
import torch
import torch.nn.functional as F
from loss_checks import close, drawn

from edgekd.distill.losses import image_norm, soft_cross_entropy, softened_kl, total_variation


def entropy_of(logits: torch.Tensor) -> torch.Tensor:
    p = logits.softmax(1)
    return -(p * p.log()).sum(1).mean()


def test_values_of_the_released_code(golden, agree):
    g = golden("dfnas")
    model, refined = g["model_logits"], g["refined_logits"]
    agree(soft_cross_entropy(model, refined), g["recursive_ce"])
    agree(soft_cross_entropy(model, refined, 3.0), g["distribution_loss_T3"])
    agree(entropy_of(refined), g["entropy_of_refined"])


def test_it_is_a_divergence_and_the_entropy_of_its_target(golden, agree):
    g = golden("dfnas")
    kl = softened_kl(g["model_logits"], g["refined_logits"], 1.0)
    agree(kl + g["entropy_of_refined"], g["recursive_ce"])


def test_distillation_by_it_lacks_the_square_of_the_temperature(golden, agree):
    """Against kd_plain's inputs: nine times the loss, less the entropy, is Hinton's at T = 3."""
    g = golden("kd_plain")
    student, teacher = g["logits_s"], g["logits_t"]
    bare = soft_cross_entropy(student, teacher, 3.0) - entropy_of(teacher / 3.0)
    agree(9.0 * bare, softened_kl(student, teacher, 3.0))
    agree(soft_cross_entropy(student, teacher) - entropy_of(teacher), g["kd_T1"])


def test_equal_logits_are_its_minimum():
    target = drawn(6, 7)
    logits = target.clone().requires_grad_()
    least = soft_cross_entropy(logits, target)
    close(least, entropy_of(target))
    assert torch.autograd.grad(least, logits)[0].abs().max() < 1e-15
    for seed in range(5):
        assert soft_cross_entropy(target + 0.1 * drawn(6, 7, seed=seed + 1), target) > least


def test_a_certain_target_makes_it_the_cross_entropy_of_labels():
    logits, labels = drawn(6, 7), torch.tensor([0, 3, 6, 1, 1, 2])
    certain = 1e4 * F.one_hot(labels, 7).double()
    close(soft_cross_entropy(logits, certain), F.cross_entropy(logits, labels))


def test_no_gradient_reaches_the_target():
    target = drawn(4, 3).requires_grad_()
    assert not soft_cross_entropy(drawn(4, 3, seed=1), target).requires_grad


def test_total_variation_by_hand():
    image = torch.zeros(1, 1, 2, 3, dtype=torch.float64)
    image[0, 0] = torch.tensor([[1.0, 2.0, 4.0], [0.0, 3.0, 3.0]])
    across = sqrt(1 + 4 + 9 + 0)
    down = sqrt(1 + 1 + 1)
    falling = sqrt((1 - 3) ** 2 + (2 - 3) ** 2)
    rising = sqrt((2 - 0) ** 2 + (4 - 3) ** 2)
    close(total_variation(image), across + down + falling + rising)


def test_even_images_have_no_variation_and_a_finite_gradient():
    image = torch.full((2, 3, 4, 4), 0.3, dtype=torch.float64, requires_grad=True)
    variation = total_variation(image)
    assert float(variation.detach()) == 0.0
    assert torch.autograd.grad(variation, image)[0].isfinite().all()


def test_the_norm_is_a_mean_over_images():
    images = drawn(3, 3, 4, 4)
    expected = sum(float((image**2).sum()) ** 0.5 for image in images) / 3
    assert float(image_norm(images)) == pytest.approx(expected, abs=1e-12)
