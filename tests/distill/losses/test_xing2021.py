"""CRCKD's losses and the mean teacher's, against what the released code computed and by their own
rules.
"""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from edgekd.distill.losses import (
    category_relation,
    class_centroids,
    contrast_scores,
    noise_contrast,
    softened_kl,
    weighted_cross_entropy,
)


def test_consistency_and_hard_labels(golden, agree):
    g = golden("crckd_mt")
    found = softened_kl(g["logits_s"], g["logits_t"], 1.0)
    agree(found, g["consistency_kl_sum_over_batch"])
    weights = g["class_counts_aptos"].sum() / g["class_counts_aptos"].to(found.dtype)
    agree(weighted_cross_entropy(g["logits_s"], g["target"], weights), g["weighted_ce"])


def unit(*shape: int, seed: int = 0) -> Tensor:
    drawn = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(*shape, generator=drawn, dtype=torch.float64), dim=-1)


def test_the_order_of_positives_and_negatives_does_not_matter():
    scores = contrast_scores(unit(4, 8), unit(30, 8, seed=1), torch.randint(30, (4, 12)))
    whole = noise_contrast(scores, 3, 30)
    for order in ([0, 2, 1, *range(3, 12)], [0, 1, 2, *range(11, 2, -1)]):
        torch.testing.assert_close(noise_contrast(scores[:, order], 3, 30), whole)
    mixed = [3, 1, 2, 0, *range(4, 12)]
    assert not noise_contrast(scores[:, mixed], 3, 30).isclose(whole)


def test_scores_are_those_of_the_drawn_rows():
    anchors, bank = unit(3, 8), unit(20, 8, seed=1)
    drawn = torch.randint(20, (3, 7), generator=torch.Generator().manual_seed(2))
    wanted = (torch.einsum("be,bje->bj", anchors, bank[drawn]) / 0.07).exp()
    torch.testing.assert_close(contrast_scores(anchors, bank, drawn), wanted)


def test_scores_and_relations_keep_their_precision_under_autocast():
    anchors, bank = unit(4, 32).float(), unit(9, 32, seed=1).float()
    drawn = torch.arange(9).expand(4, 9)
    centroids = class_centroids(bank, torch.arange(9) % 3, 3)
    wanted = contrast_scores(anchors, bank, drawn)
    relation = category_relation(anchors, unit(4, 32, seed=3).float(), centroids, centroids)
    with torch.autocast("cpu", torch.bfloat16):
        assert contrast_scores(anchors, bank, drawn).equal(wanted)
        again = category_relation(anchors, unit(4, 32, seed=3).float(), centroids, centroids)
    assert again.equal(relation)


def test_equal_networks_have_equal_relations():
    vectors, bank = unit(6, 8), unit(20, 8, seed=1)
    centroids = class_centroids(bank, torch.arange(20) % 4, 4)
    same = category_relation(vectors, vectors, centroids, centroids)
    assert float(same) == pytest.approx(0.0, abs=1e-12)
    other = class_centroids(unit(20, 8, seed=2), torch.arange(20) % 4, 4)
    assert category_relation(vectors, vectors, centroids, other) > 0


def test_a_relations_gradient_sums_to_zero_over_the_classes():
    # With orthonormal centroids the student's vectors are the logits, times τ.
    centroids = torch.eye(4, dtype=torch.float64)
    student = unit(6, 4).requires_grad_()
    loss = category_relation(student, unit(6, 4, seed=1), centroids, centroids)
    (gradient,) = torch.autograd.grad(loss, student)
    assert gradient.abs().max() > 1e-3
    torch.testing.assert_close(gradient.sum(dim=1), torch.zeros(6, dtype=torch.float64))


def test_a_class_counts_once_whatever_its_size():
    bank, labels = unit(20, 8), torch.arange(20) % 4
    doubled = torch.cat((bank, bank[labels == 2])), torch.cat((labels, labels[labels == 2]))
    torch.testing.assert_close(class_centroids(*doubled, 4), class_centroids(bank, labels, 4))


def test_a_class_without_images_has_no_direction():
    centroids = class_centroids(unit(9, 8), torch.arange(9) % 3, 4)
    assert centroids[3].eq(0).all()
    torch.testing.assert_close(centroids[:3].norm(dim=1), torch.ones(3, dtype=torch.float64))
    same = category_relation(unit(2, 8), unit(2, 8), centroids, centroids)
    assert same.isfinite()
