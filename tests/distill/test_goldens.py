"""The losses against arrays that the papers' released code computed (tests/golden/README.md)."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from edgekd.distill.losses import (
    angle_relation,
    channel_relation,
    distance_relation,
    instance_contrast,
    kept_rows,
    non_target_kl,
    similarity_transfer,
    softened_kl,
    sources_of,
    target_kl,
    transformed_kl,
    view_similarity,
    weighted_cross_entropy,
)


@pytest.mark.parametrize("temperature", [1, 2, 4, 5, 20])
def test_softened_kl(golden, agree, temperature):
    g = golden("kd_plain")
    found = softened_kl(g["logits_s"], g["logits_t"], temperature)
    agree(found, g[f"kd_T{temperature}"])


def test_softened_kl_gradient(golden, agree):
    g = golden("kd_plain")
    student = g["logits_s"].requires_grad_()
    (gradient,) = torch.autograd.grad(softened_kl(student, g["logits_t"], 4.0), student)
    agree(gradient, g["grad_T4_wrt_student"])


@pytest.mark.parametrize("temperature", [1, 4])
@pytest.mark.parametrize("beta", [2, 8])
def test_decoupled(golden, agree, beta, temperature):
    g = golden("kd_plain")
    logits = g["logits_s"], g["logits_t"], g["target"], temperature
    agree(target_kl(*logits) + beta * non_target_kl(*logits), g[f"dkd_a1_b{beta}_T{temperature}"])


def test_hard_and_soft_mixed(golden, agree):
    g = golden("kd_plain")
    hard = weighted_cross_entropy(g["logits_s"], g["target"], g["class_weight"])
    soft = softened_kl(g["logits_s"], g["logits_t"], 5.0)
    agree(0.5 * hard + 0.5 * soft, g["blkd_lam05_T5_wce"])


@pytest.mark.parametrize(("loss", "name"), [(distance_relation, "dist"), (angle_relation, "angle")])
def test_relations(golden, agree, loss, name):
    g = golden("rkd")
    student = g["feat_s"].requires_grad_()
    found = loss(student, g["feat_t"])
    agree(found, g[f"rkd_{name}"])
    agree(torch.autograd.grad(found, student)[0], g[f"grad_{name}_wrt_feat_s"])
    agree(loss(7.0 * student, g["feat_t"]), g[f"rkd_{name}_scaled_x7"])
    agree(loss(g["feat_t"], g["feat_t"]), g[f"rkd_{name}_same"])


def test_relations_with_hard_label(golden, agree):
    g = golden("rkd")
    pooled = g["feat_s"], g["feat_t"]
    relations = 25 * distance_relation(*pooled) + 50 * angle_relation(*pooled)
    agree(relations, g["w25_50"])
    hard = weighted_cross_entropy(g["logits_s"], g["target"])
    agree(relations + 3 * hard, g["drkd_total_lambda3"])


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
