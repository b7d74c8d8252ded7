"""Logit adjustment: the prior of what is drawn, and the balanced answer that it leads to."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from loss_checks import close

from edgekd.distill.losses import adjusted_logits, class_log_prior, finding_log_odds

LABELS = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1])


def test_the_prior_of_images_drawn_once_is_their_share():
    prior = class_log_prior(LABELS, 2, torch.ones(8, dtype=torch.float64))
    torch.testing.assert_close(prior, torch.tensor([0.75, 0.25]).log())


def test_the_prior_follows_the_draws():
    draws = torch.tensor([1.0] * 6 + [3.0] * 2, dtype=torch.float64)
    torch.testing.assert_close(class_log_prior(LABELS, 2, draws), torch.tensor([0.5, 0.5]).log())


def test_a_class_without_images_counts_as_one_image():
    prior = class_log_prior(LABELS, 3, torch.ones(8, dtype=torch.float64))
    assert prior[2].item() == pytest.approx(math.log(1 / 8))


def test_the_odds_of_findings():
    present = torch.tensor([[1, 0, 1], [0, 0, 1], [0, 0, 1], [0, 0, 1]])
    odds = finding_log_odds(present, torch.ones(4))
    expected = [math.log(1 / 3), math.log(1 / 3), math.log(3.0)]
    torch.testing.assert_close(odds, torch.tensor(expected))
    drawn = finding_log_odds(present, torch.tensor([3.0, 1.0, 1.0, 1.0]))
    assert drawn[0].item() == pytest.approx(0.0, abs=1e-6)


def test_the_loss_is_that_of_the_paper():
    """log[1 + Σ_{k≠y} (π_k/π_y)^τ e^{f_k − f_y}] (equation 11)."""
    logits = torch.tensor([[1.0, -0.5, 2.0]], dtype=torch.float64)
    share, tau = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64), 1.5
    found = F.cross_entropy(adjusted_logits(logits, tau * share.log()), torch.tensor([1]))
    others = [(share[k] / share[1]) ** tau * (logits[0, k] - logits[0, 1]).exp() for k in (0, 2)]
    close(found, math.log(1 + sum(float(value) for value in others)))


def test_trained_with_it_uninformative_images_favour_no_class():
    """Logits that fit 9 images of one class and 1 of another, all alike, come out equal."""
    labels = torch.tensor([0] * 9 + [1])
    logits = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    prior = class_log_prior(labels, 2, torch.ones(10)).double()
    optimizer = torch.optim.SGD([logits], lr=1.0)
    for _ in range(300):
        optimizer.zero_grad()
        F.cross_entropy(adjusted_logits(logits.expand(10, 2), prior), labels).backward()
        optimizer.step()
    assert logits[0].item() == pytest.approx(logits[1].item(), abs=1e-3)
