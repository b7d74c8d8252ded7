"""CRCKD's losses and the mean teacher's, against what the released code computed and by their own
rules.
"""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgekd.distill.losses import (
    average_decay,
    category_relation,
    class_centroids,
    contrast_scores,
    noise_contrast,
    ramp_up,
    softened_kl,
    weighted_cross_entropy,
)
from edgekd.distill.methods import MethodContext
from edgekd.distill.methods.category import CategoryConfig, CategoryTerms
from edgekd.distill.moving_average import MovingAverage
from edgekd.recipe import FitSection

CLASSES = 5
CASES = ("crckd_p1", "crckd_p4")


def category(g: dict[str, Tensor]) -> CategoryTerms:
    """The golden's embeddings and banks, both terms at weight 1."""
    config = CategoryConfig(contrast=1.0, positives=int(g["P"]), negatives=int(g["K"]), embedding=8)
    context = MethodContext(
        (1,) * CLASSES, torch.ones(CLASSES), 60, 32, FitSection(), training_labels=g["labels"]
    )
    made = CategoryTerms(config, (16, 16), context).to(g["embed_s_w"].dtype)
    for side, layer in (("s", made.embeddings["student"]), ("t", made.embeddings["teacher"])):
        layer.load_state_dict({"weight": g[f"embed_{side}_w"], "bias": g[f"embed_{side}_b"]})
    made.banks.student.copy_(g["memory_s_init"])
    made.banks.teacher.copy_(g["memory_t_init"])
    return made


# Against the released code ---------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_two_steps(golden, agree, case):
    g = golden(case)
    made = category(g)
    for step in ("step0", "step1"):
        student = g[f"{step}_feat_s"].requires_grad_()
        rows, drawn = g[f"{step}_index"], g[f"{step}_sample_idx_used"]
        terms = made.terms_of(student, g[f"{step}_feat_t"], rows, drawn)
        agree(terms["contrast"], g[f"{step}_ccd_loss"])
        agree(terms["relation"], g[f"{step}_crp_loss"])
        for name, loss in (("contrast", "ccd"), ("relation", "crp")):
            (gradient,) = torch.autograd.grad(terms[name], student, retain_graph=True)
            agree(gradient, g[f"{step}_grad_{loss}_feat_s"])
        made.remember()
        agree(made.banks.student, g[f"{step}_memory_s_after"])
        agree(made.banks.teacher, g[f"{step}_memory_t_after"])
        scale = torch.stack((g[f"{step}_Z_s"], g[f"{step}_Z_t"]))
        agree(made.banks.scale / scale, torch.ones_like(scale))


def test_with_one_positive_the_contrast_is_that_of_crd(golden, agree):
    g = golden("crckd_p1")
    first = (g["step0_feat_s"], g["step0_feat_t"], g["step0_index"], g["step0_sample_idx_used"])
    agree(category(g).terms_of(*first)["contrast"], g["crd_repdistiller_step0"])


def test_consistency_and_hard_labels(golden, agree):
    g = golden("crckd_mt")
    found = softened_kl(g["logits_s"], g["logits_t"], 1.0)
    agree(found, g["consistency_kl_sum_over_batch"])
    weights = g["class_counts_aptos"].sum() / g["class_counts_aptos"].to(found.dtype)
    agree(weighted_cross_entropy(g["logits_s"], g["target"], weights), g["weighted_ce"])


def test_ramp(golden, agree):
    g = golden("crckd_mt")
    found = [ramp_up(int(epoch), 30) for epoch in g["ramp_epochs"]]
    agree(torch.tensor(found, dtype=g["ramp_sigmoid_len30"].dtype), g["ramp_sigmoid_len30"])
    assert ramp_up(0, 30) == pytest.approx(math.exp(-5))
    assert ramp_up(20, 30) == pytest.approx(0.574, abs=1e-3)
    assert ramp_up(30, 30) == ramp_up(79, 30) == ramp_up(0, 0) == 1.0


def test_the_moving_average_follows_the_golden_trajectory(golden, agree):
    g = golden("crckd_mt")
    network = nn.Linear(3, 4, bias=False).to(g["ema_param"].dtype)
    network.load_state_dict({"weight": g["ema_init"]})
    average = MovingAverage(network, 0.99)
    network.load_state_dict({"weight": g["ema_param"]})
    for step, alpha, wanted in zip(
        g["ema_steps"], g["ema_alpha"], g["ema_trajectory"], strict=True
    ):
        average.updates.fill_(int(step))
        assert average_decay(int(step), 0.99) == pytest.approx(float(alpha), rel=1e-6)
        average.follow(network)
        agree(average.network.weight, wanted)
        assert int(average.updates) == int(step) + 1


# By their own rules ----------------------------------------------------------------------------


def unit(*shape: int, seed: int = 0) -> Tensor:
    drawn = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(*shape, generator=drawn, dtype=torch.float64), dim=-1)


def test_the_first_update_copies_the_student_and_the_limit_holds_from_the_hundredth():
    assert average_decay(0, 0.99) == 0.0
    assert average_decay(98, 0.99) < 0.99
    assert average_decay(99, 0.99) == pytest.approx(0.99)
    assert average_decay(5000, 0.99) == 0.99
    first, other = nn.Linear(3, 2), nn.Linear(3, 2)
    average = MovingAverage(first, 0.99)
    average.follow(other)
    assert all(
        a.equal(b) for a, b in zip(average.network.parameters(), other.parameters(), strict=True)
    )
    assert not any(parameter.requires_grad for parameter in average.parameters())


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


@pytest.mark.parametrize("size", [1, 2])
def test_small_and_uniform_batches_are_finite(golden, precision, size):
    g = golden("crckd_p4")
    made = category(g)
    features = torch.ones(size, 16, dtype=precision, requires_grad=True)
    rows, drawn = g["step0_index"][:size], g["step0_sample_idx_used"][:size]
    terms = made.terms_of(features, features.detach(), rows, drawn)
    torch.stack(list(terms.values())).sum().backward()
    assert all(term.isfinite() for term in terms.values())
    assert features.grad.isfinite().all()


def test_who_gets_a_gradient_of_what(golden):
    g = golden("crckd_p4")
    made = category(g)
    student, teacher = (g[f"step0_feat_{side}"].requires_grad_() for side in "st")
    generator = torch.Generator().manual_seed(0)
    terms = made.terms(student, teacher, g["step0_index"], generator)
    own, guide = (made.embeddings[name].weight for name in ("student", "teacher"))
    for name, reached in (
        ("contrast", {"student", "own", "guide"}),
        ("relation", {"student", "own"}),
    ):
        inputs = {"student": student, "teacher": teacher, "own": own, "guide": guide}
        found = torch.autograd.grad(
            terms[name], list(inputs.values()), allow_unused=True, retain_graph=True
        )
        moved = {key for key, gradient in zip(inputs, found, strict=True) if gradient is not None}
        assert moved == reached
