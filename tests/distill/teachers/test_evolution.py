"""Weights by differential evolution: no worse than what is known, and near the best there is."""

from __future__ import annotations

import pytest
import torch
from loss_checks import drawn
from torch import Tensor

from edgekd.distill.losses import softened_kl
from edgekd.distill.task import training_task
from edgekd.distill.teachers.evolution import evolved_weights
from edgekd.distill.teachers.weights import fitted_weights
from edgekd.errors import InputError

TASK = training_task("classification")


def loss(outputs: Tensor, targets: Tensor, weights: object) -> float:
    w = torch.as_tensor(weights, dtype=torch.float64)
    mean = (w[:, None, None] * outputs.softmax(2)).sum(0)
    return float(-mean[torch.arange(len(targets)), targets].log().mean())


def held_out(seed: int) -> tuple[Tensor, Tensor]:
    outputs = drawn(3, 60, 4, seed=seed)
    targets = (outputs[seed % 3] + 0.5 * outputs[(seed + 1) % 3]).argmax(1)
    return outputs, targets


@pytest.mark.parametrize("seed", range(3))
def test_no_network_alone_nor_all_alike_are_better(seed: int) -> None:
    outputs, targets = held_out(seed)
    found = evolved_weights(outputs, targets, 4, TASK, seed)
    assert sum(found) == pytest.approx(1.0, abs=1e-9)
    assert min(found) >= 0.0
    others = [*torch.eye(3).tolist(), [1 / 3] * 3]
    assert all(loss(outputs, targets, found) <= loss(outputs, targets, w) for w in others)
    fitted = fitted_weights(outputs, targets, 4, TASK, TASK.mean_probabilities)
    assert loss(outputs, targets, found) == pytest.approx(loss(outputs, targets, fitted), abs=1e-4)


def test_the_seed_decides_the_evolution() -> None:
    outputs, targets = held_out(1)
    assert evolved_weights(outputs, targets, 4, TASK, 3) == evolved_weights(
        outputs, targets, 4, TASK, 3
    )


def test_a_single_network_has_all_the_weight() -> None:
    outputs, targets = held_out(0)
    assert evolved_weights(outputs[:1], targets, 4, TASK) == (1.0,)


def test_outputs_that_are_not_finite_are_refused() -> None:
    outputs, targets = held_out(0)
    outputs[1, 3, 2] = torch.nan
    with pytest.raises(InputError, match="not finite"):
        evolved_weights(outputs, targets, 4, TASK)


def test_the_kl_to_a_mixture_is_at_most_the_mixed_kl() -> None:
    outputs, student, weights = drawn(3, 9, 5), drawn(9, 5, seed=1), torch.tensor([0.2, 0.3, 0.5])
    mixture = TASK.mean_probabilities(outputs, weights.double())
    each = torch.stack([softened_kl(student, z, 1.0) for z in outputs])
    assert softened_kl(student, mixture, 1.0) <= (weights * each).sum()
