"""Weights of teachers, fitted to labels."""

from __future__ import annotations

import pytest
import torch

from edgekd.distill.task import training_task
from edgekd.distill.teachers.averaged import average_of
from edgekd.distill.teachers.weights import fitted_weights

TASK = training_task("classification")
DRAWN = torch.Generator().manual_seed(0)
LABELS = torch.randint(4, (400,), generator=DRAWN)


def guess(skill: float) -> torch.Tensor:
    """Logits of a teacher that is right with some confidence, and errs at random."""
    noise = torch.randn(400, 4, generator=DRAWN, dtype=torch.float64)
    return noise + skill * torch.nn.functional.one_hot(LABELS, 4)


@pytest.mark.parametrize("rule", ["probabilities", "logits"])
def test_no_other_weights_make_the_labels_more_likely(rule):
    outputs = torch.stack([guess(1.5), guess(1.0), guess(0.2)])
    average = average_of(TASK, rule)

    def loss(weights) -> float:
        mean = average(outputs, torch.tensor(weights, dtype=torch.float64))
        return float(torch.nn.functional.cross_entropy(mean, LABELS))

    found = fitted_weights(outputs, LABELS, 4, TASK, average)
    assert sum(found) == pytest.approx(1, abs=1e-3)
    assert min(found) >= 0
    steps = [n / 20 for n in range(21)]
    grid = [(a, b, 1 - a - b) for a in steps for b in steps if a + b <= 1 + 1e-9]
    best = min(loss((a, b, max(c, 0.0))) for a, b, c in grid)
    assert loss(found) <= best + 1e-5
    assert found[0] > found[2]


def test_a_useless_teacher_has_no_weight():
    wrong = -guess(3.0)
    found = fitted_weights(
        torch.stack([guess(3.0), wrong]), LABELS, 4, TASK, average_of(TASK, "probabilities")
    )
    assert found == (1.0, 0.0)


def test_findings():
    task = training_task("multilabel")
    targets = torch.randint(2, (300, 3), generator=DRAWN).float()
    noise = torch.randn(2, 300, 3, generator=DRAWN, dtype=torch.float64)
    outputs = noise + torch.tensor([2.0, 0.0]).reshape(2, 1, 1) * (2 * targets - 1)
    first, second = fitted_weights(
        outputs, targets.long(), 3, task, average_of(task, "probabilities")
    )
    assert first > 0.9 > 0.1 > second
