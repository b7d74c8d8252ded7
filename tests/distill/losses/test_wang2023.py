"""D-KD's channel relation and SSD-KD's self-supervision, also against the released arrays."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from loss_checks import close, drawn
from torch import Tensor

from edgekd.distill.losses import (
    angle_relation,
    channel_relation,
    distance_relation,
    instance_contrast,
    kept_rows,
    similarity_transfer,
    softened_kl,
    sources_of,
    transformed_kl,
    view_similarity,
    weighted_cross_entropy,
)


def plain_channel_relation(student: Tensor, teacher: Tensor) -> Tensor:
    def gram(f: Tensor) -> Tensor:
        return f.flatten(2) @ f.flatten(2).mT / f[0].numel()

    return (gram(student) - gram(teacher)).square().mean().sqrt()


@pytest.mark.parametrize("shape", [(3, 4, 5, 5), (3, 25, 5, 5), (3, 60, 3, 3), (2, 8, 1, 1)])
def test_channel_relation_by_positions_is_that_by_channels(shape):
    student, teacher = drawn(*shape).requires_grad_(), drawn(*shape, seed=1)
    found, wanted = channel_relation(student, teacher), plain_channel_relation(student, teacher)
    close(found, wanted.detach(), atol=1e-14)
    gradients = [torch.autograd.grad(loss, student)[0] for loss in (found, wanted)]
    close(gradients[0], gradients[1], atol=1e-13)


@pytest.mark.parametrize("shape", [(3, 5, 4, 4), (3, 40, 4, 4)])
def test_channel_relation_ignores_where_but_not_which(shape):
    student, teacher = drawn(*shape), drawn(*shape, seed=1)
    before = channel_relation(student, teacher)
    positions = student.flatten(2)[:, :, torch.randperm(16)].reshape(shape)
    close(channel_relation(positions, teacher), before, atol=1e-14)
    channels = student[:, torch.roll(torch.arange(shape[1]), 1)]
    assert (channel_relation(channels, teacher) - before).abs() > 1e-5


def test_channel_relation_scales_with_the_square():
    features, nothing = drawn(2, 5, 3, 3), torch.zeros(2, 5, 3, 3, dtype=torch.float64)
    close(channel_relation(3 * features, nothing), 9 * channel_relation(features, nothing))


@pytest.mark.parametrize("channels", [5, 40])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_channel_relation_of_coinciding_maps_has_a_finite_gradient(channels, dtype):
    teacher = drawn(2, channels, 3, 3).to(dtype)
    student = teacher.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(channel_relation(student, teacher), student)
    assert gradient.isfinite().all()
    assert gradient.abs().max() < 1e-3


def test_identical_views_and_heads_transfer_nothing():
    embedded = drawn(5, 6).repeat_interleave(4, 0)
    similarity = view_similarity(embedded)
    close(similarity.diagonal()[:1], torch.ones(1))
    close(similarity_transfer(similarity, similarity), 0.0)


def test_views_keep_to_their_image():
    similarity = view_similarity(drawn(5, 6).repeat_interleave(4, 0))
    assert sources_of(similarity).tolist() == [image for image in range(5) for _ in range(3)]
    assert similarity.argmax(1).equal(sources_of(similarity))


def test_kept_rows_are_ordered_by_rank_and_stable():
    scores = torch.tensor([[3.0, 2, 1], [1, 2, 3], [1, 3, 2], [1, 3, 2], [9, 1, 2]])
    answers = torch.zeros(5, dtype=torch.int64)  # ranks 0, 2, 2, 2, 0
    assert kept_rows(scores, answers, 0.0).tolist() == [0, 4]
    assert kept_rows(scores, answers, 0.34).tolist() == [0, 1, 4]
    assert kept_rows(scores, answers, 0.99).tolist() == [0, 1, 2, 4]
    assert kept_rows(scores, answers, 1.0).tolist() == [0, 1, 2, 3, 4]


def test_no_kept_row_costs_nothing():
    teacher = torch.tensor([[0.0, 1.0]])
    student = torch.zeros(1, 2, requires_grad=True)
    loss = transformed_kl(student, teacher, torch.tensor([0]), ratio=0.0)
    loss.backward()
    assert loss == 0
    assert student.grad.abs().sum() == 0


@pytest.mark.parametrize("images", [1, 4])
def test_self_supervision_of_identical_images_is_finite(images):
    embedded = drawn(1, 6).repeat(4 * images, 1).requires_grad_()
    similarity = view_similarity(embedded)
    loss = instance_contrast(similarity) + similarity_transfer(similarity, similarity.detach())
    close(loss, math.log(images))
    assert torch.autograd.grad(loss, embedded)[0].isfinite().all()


def project(g: dict[str, Tensor], features: Tensor) -> Tensor:
    """The golden's adapter: 1×1 convolution, norm by the batch's statistics, ReLU."""
    mapped = F.conv2d(features, g["conv_weight"], g["conv_bias"])
    return F.batch_norm(mapped, None, None, g["bn_gamma"], g["bn_beta"], training=True).relu()


def test_d_kd(golden, agree):
    g = golden("d_kd")
    logits, pooled, features = (
        g[name].requires_grad_() for name in ("logits_s", "pool_s", "feat_map_s")
    )
    terms = {
        "loss_wce": weighted_cross_entropy(logits, g["target"], g["class_weight"]),
        "loss_kl_unscaled": softened_kl(logits, g["logits_t"], 5.0) / 25,
        "rkd_dist": distance_relation(pooled, g["pool_t"]),
        "rkd_angle": angle_relation(pooled, g["pool_t"]),
        "cr_dist": channel_relation(project(g, features), g["feat_map_t"]),
    }
    for name, term in terms.items():
        agree(term, g[name])
    weights = torch.tensor((0.5, 12.5, 25.0, 50.0, 1000.0), dtype=logits.dtype)
    total = (weights * torch.stack(list(terms.values()))).sum()
    agree(total, g["total"])
    found = torch.autograd.grad(total, (logits, pooled, features))
    for gradient, name in zip(found, ("logits", "pool", "feat_map"), strict=True):
        agree(gradient, g[f"grad_{name}_s"])


def head(g: dict[str, Tensor], side: str, pooled: Tensor) -> Tensor:
    hidden = F.linear(pooled, g[f"head_{side}_w1"], g[f"head_{side}_b1"]).relu()
    return F.linear(hidden, g[f"head_{side}_w2"], g[f"head_{side}_b2"])


def turned(rows: Tensor) -> Tensor:
    return rows.reshape(-1, 4, rows.shape[1])[:, 1:].flatten(0, 1)


@pytest.mark.parametrize("side", ["s", "t"])
def test_view_similarity(golden, agree, side):
    g = golden("ssd_kd")
    agree(view_similarity(head(g, side, g[f"pool_{side}"])), g[f"{side}_simi"])


def test_teacher_head(golden, agree):
    g = golden("ssd_kd")
    agree(instance_contrast(view_similarity(head(g, "t", g["pool_t"]))), g["teacher_ssp_loss"])


@pytest.mark.parametrize(
    ("ratios", "suffix"),
    [
        ((1.0, 0.75), ""),
        ((0.5, 0.75), "_ratio0.5_0.75"),
        ((0.0, 0.0), "_ratio0.0_0.0"),
        ((1.0, 1.0), "_ratio1.0_1.0"),
    ],
)
def test_kept_rows(golden, agree, ratios, suffix):
    g = golden("ssd_kd")
    answers = g["target"].repeat_interleave(3)
    student, teacher = turned(g["logits_s"]), turned(g["logits_t"])
    assert kept_rows(teacher, answers, ratios[0]).equal(g[f"idx_tf{suffix}"])
    kept = kept_rows(g["t_simi"], sources_of(g["t_simi"]), ratios[1])
    assert kept.equal(g[f"idx_ss{suffix}"])
    agree(transformed_kl(student, teacher, answers, 4.0, ratios[0]), g[f"loss3_tf{suffix}"])
    agree(similarity_transfer(g["s_simi"], g["t_simi"], 0.5, ratios[1]), g[f"loss4_ss{suffix}"])


def test_ssd_kd(golden, agree):
    g = golden("ssd_kd")
    logits, pooled = (g[name].requires_grad_() for name in ("logits_s", "pool_s"))
    similarity = view_similarity(head(g, "s", pooled))
    answers = g["target"].repeat_interleave(3)
    adapted = project(g, g["feat_map_s"])
    relations = 25 * distance_relation(pooled, g["pool_t"]) + 50 * angle_relation(
        pooled, g["pool_t"]
    )
    terms = {
        "loss1_wce": weighted_cross_entropy(logits[::4], g["target"], g["class_weight"]),
        "loss2_kd": softened_kl(logits[::4], g["logits_t"][::4], 4.0),
        "loss3_tf": transformed_kl(turned(logits), turned(g["logits_t"]), answers),
        "loss4_ss": similarity_transfer(similarity, g["t_simi"]),
        "loss5_dr": relations + 1000 * channel_relation(adapted, g["feat_map_t"]),
    }
    for name, term in terms.items():
        agree(term, g[name])
    weights = torch.tensor((0.1, 0.9, 2.7, 10.0, 1.0), dtype=logits.dtype)
    total = (weights * torch.stack(list(terms.values()))).sum()
    agree(total, g["total"])
    for gradient, name in zip(
        torch.autograd.grad(total, (logits, pooled)), ("logits", "pool"), strict=True
    ):
        assert gradient.abs().sum() > 0
        agree(gradient, g[f"grad_{name}_s"])
