"""Losses and weights of one class for each image."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgekd.distill.losses import (
    class_weights,
    focal_loss,
    multi_weighted_focal_loss,
    softened_kl,
    weighted_cross_entropy,
)
from edgekd.distill.task import Trait
from edgekd.recipe import LossSection
from edgekd.tasks.classification.training import Training

COUNTS = (8, 2)
LOGITS = torch.tensor([[1.0, -1.0], [0.5, 2.0], [0.0, 0.0]])
TARGETS = torch.tensor([0, 1, 1])


def test_every_method_may_rely_on_it() -> None:
    assert Training().traits == frozenset(Trait)
    assert Training().outputs(("a", "b", "c")) == 3


def test_losses_are_those_of_softmax_outputs() -> None:
    weights = torch.tensor([0.5, 2.0])
    torch.testing.assert_close(
        Training().hard_label_loss(LOGITS, TARGETS, weights, 0.1),
        weighted_cross_entropy(LOGITS, TARGETS, weights, 0.1),
    )
    torch.testing.assert_close(
        Training().softened_loss(LOGITS, LOGITS.flip(1), 3.0),
        softened_kl(LOGITS, LOGITS.flip(1), 3.0),
    )


@pytest.mark.parametrize("balance", ["sqrt", "full"])
def test_an_image_is_drawn_by_its_class(balance: str) -> None:
    weights = Training().sampling_weights(np.array([0] * 8 + [1] * 2), COUNTS, balance)
    of_class = class_weights(COUNTS, balance).double()
    assert weights.tolist() == [of_class[0]] * 8 + [of_class[1]] * 2
    assert Training().class_weights(COUNTS, 10, balance).tolist() == of_class.float().tolist()


def test_a_sample_has_the_weight_of_its_class() -> None:
    assert Training().sample_weights(TARGETS, torch.tensor([3.0, 5.0])).tolist() == [3, 5, 5]


def test_the_losses_that_a_recipe_may_name() -> None:
    weights = torch.tensor([0.5, 2.0])
    torch.testing.assert_close(
        Training().focal_loss(LOGITS, TARGETS, weights, LossSection(name="focal", gamma=1.5)),
        focal_loss(LOGITS, TARGETS, weights, 1.5),
    )
    named = LossSection(name="multi_weighted_focal", gamma=1.5, beta=0.3)
    torch.testing.assert_close(
        Training().focal_loss(LOGITS, TARGETS, weights, named),
        multi_weighted_focal_loss(LOGITS, TARGETS, weights, 1.5, 0.3),
    )


def test_the_prior_and_the_balance_are_those_of_classes() -> None:
    targets = np.array([0] * 8 + [1] * 2)
    prior = Training().log_prior(targets, torch.ones(10, dtype=torch.float64), 2)
    torch.testing.assert_close(prior.exp(), torch.tensor([0.8, 0.2]))
    weights = Training().balancing_weights(COUNTS, 10, "full")
    assert float(weights[1] / weights[0]) == 4.0
