"""Difficulty, strata and the curriculum of CES-KD."""

from __future__ import annotations

import pytest
import torch
from loss_checks import drawn

from edgekd.distill.losses import difficulty_of, joined_strata, softened_kl, strata_of


def test_the_golden(golden, agree):
    g = golden("spec_ceskd")
    experts, target = g["expert_logits_small_to_large"], g["target"]
    difficulty = difficulty_of(experts[-1], target)
    agree(difficulty, g["difficulty"])
    chosen = strata_of(difficulty, 3)
    assert chosen.equal(g["expert_index"])
    own = experts[chosen, torch.arange(9)]
    soft = softened_kl(g["student_logits"], own, 4.0)
    agree(soft, g["kd_selected"])
    hard = torch.nn.functional.cross_entropy(g["student_logits"], target)
    agree(0.1 * hard + 0.9 * soft, g["total"])
    rows = [
        softened_kl(g["student_logits"][n : n + 1], experts[chosen[n], n : n + 1], 4.0)
        for n in range(9)
    ]  # fmt: skip
    agree(torch.stack(rows).mean(), g["kd_selected"])


@pytest.mark.parametrize(("images", "levels"), [(9, 3), (10, 4), (5, 5), (7, 1), (0, 3)])
def test_strata_are_of_equal_size_and_rise_with_difficulty(images, levels):
    difficulty = drawn(images)
    strata = strata_of(difficulty, levels)
    assert strata[difficulty.argsort()].diff().ge(0).all()
    counts = torch.bincount(strata, minlength=levels)
    assert counts.sum() == images
    assert counts.max() - counts.min() <= 1


def test_images_of_equal_difficulty_keep_their_order():
    assert strata_of(torch.zeros(6), 3).tolist() == [0, 0, 1, 1, 2, 2]


def test_strata_join_from_the_easiest_on():
    assert [joined_strata(epoch, 5.0, 3) for epoch in range(7)] == [1, 1, 2, 2, 3, 3, 3]
    assert joined_strata(0, 0.0, 4) == 4
