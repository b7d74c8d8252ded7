"""Findings that may occur together: weights, draws, methods, and a distillation end to end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from edgekd.distill.losses import (
    binary_focal_loss,
    multi_weighted_binary_focal_loss,
    softened_binary_kl,
    weighted_binary_cross_entropy,
)
from edgekd.distill.methods import Batch, MethodContext, method_names, resolve_method
from edgekd.distill.task import Trait, training_task
from edgekd.errors import InputError
from edgekd.recipe import FitSection, LossSection

TASK = "multilabel"
SERVE = {
    "none", "kd", "fitnet", "at", "rkd", "mean_teacher", "d_kd", "amal", "assistants", "ssl_kd",
    "born_again",
}  # fmt: skip
COUNTS = (6, 2)
TARGETS = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0], [0.0, 1.0]])


@pytest.mark.parametrize("name", sorted(set(method_names()) - SERVE))
def test_methods_of_exclusive_classes_are_refused_by_name(name: str) -> None:
    with pytest.raises(InputError) as caught:
        resolve_method({"name": name}, TASK)
    assert f"the method {name} does not serve the task {TASK}" in caught.value.message
    assert any(trait.value in caught.value.message for trait in Trait)
    assert "kd" in caught.value.hint


@pytest.mark.parametrize("name", sorted(SERVE))
def test_other_methods_serve_findings(name: str) -> None:
    assert resolve_method({"name": name}, TASK)[0].name == name


def test_an_image_is_drawn_by_its_rarest_finding() -> None:
    """Of 10 images 6 have a, 2 have b, and 3 have none."""
    targets = np.zeros((10, 2), np.float32)
    targets[:6, 0] = 1
    targets[5:7, 1] = 1
    weights = training_task(TASK).sampling_weights(targets, COUNTS, "full").tolist()
    assert weights[:5] == pytest.approx([1 / 6] * 5)
    assert weights[5:7] == pytest.approx([1 / 2] * 2)
    assert weights[7:] == pytest.approx([1 / 3] * 3)


def test_sample_weights_raise_what_is_present() -> None:
    weights = training_task(TASK).sample_weights(TARGETS, torch.tensor([2.0, 5.0]))
    assert weights.tolist() == [[2, 1], [2, 5], [1, 1], [1, 5]]


class Outputs(torch.nn.Module):
    """Gives fixed logits, whatever it sees."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = torch.nn.Parameter(logits)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.logits


@pytest.mark.parametrize("weigh", [False, True])
def test_kd_is_binary_cross_entropy_and_softened_findings(weigh: bool) -> None:
    options: dict[str, Any] = {"temperature": 3.0, "weight": 0.6, "weigh_classes": weigh}
    kind, config = resolve_method({"name": "kd", **options}, TASK)
    student, teacher = torch.randn(4, 2), torch.randn(4, 2)
    weights = torch.tensor([2.0, 5.0])
    fit = FitSection(label_smoothing=0.1)
    context = MethodContext(COUNTS, weights, 10, 16, fit, task=training_task(TASK))
    (stage,) = kind(config, Outputs(student), Outputs(teacher), context).stages()
    assert stage.objective is not None
    terms = stage.objective(Batch(torch.zeros(4, 3, 16, 16), TARGETS, torch.arange(4)))
    hard = weighted_binary_cross_entropy(student, TARGETS, weights, 0.1)
    each = torch.where(TARGETS > 0, weights, torch.ones(2)) if weigh else None
    torch.testing.assert_close(terms["ce"], 0.4 * hard)
    torch.testing.assert_close(terms["kd"], 0.6 * softened_binary_kl(student, teacher, 3.0, each))


def test_the_losses_that_a_recipe_may_name_are_binary() -> None:
    outputs, weights = torch.tensor([[0.5, -3.0]] * 4), torch.tensor([2.0, 5.0])
    loss = training_task(TASK).focal_loss
    torch.testing.assert_close(
        loss(outputs, TARGETS, weights, LossSection(name="focal", gamma=1.5)),
        binary_focal_loss(outputs, TARGETS, weights, 1.5),
    )
    named = LossSection(name="multi_weighted_focal", gamma=1.5, beta=0.3)
    torch.testing.assert_close(
        loss(outputs, TARGETS, weights, named),
        multi_weighted_binary_focal_loss(outputs, TARGETS, weights, 1.5, 0.3),
    )


def test_the_prior_and_the_balance_are_those_of_each_finding() -> None:
    """Of 4 images 2 have each finding; drawn, those with b come three times as often."""
    task, draws = training_task(TASK), torch.tensor([1.0, 3.0, 1.0, 3.0], dtype=torch.float64)
    assert task.log_prior(TARGETS.numpy(), draws, 2).tolist() == pytest.approx([0.0, np.log(3.0)])
    assert task.balancing_weights(COUNTS, 8, "full").tolist() == pytest.approx([2 / 6, 6 / 2])
