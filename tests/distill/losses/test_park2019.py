"""Relations between samples: invariances, degenerate batches, the released code's arrays."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from loss_checks import close, drawn
from torch import Tensor

from edgekd.distill.losses import (
    angle_relation,
    distance_relation,
    weighted_cross_entropy,
)
from edgekd.errors import InputError

RELATIONS = [distance_relation, angle_relation]


def rotation(width: int) -> Tensor:
    return torch.linalg.qr(drawn(width, width, seed=9)).Q


CHANGES = {
    "translation": lambda f: f + drawn(1, f.shape[1], seed=5),
    "far translation": lambda f: f + 1e4,
    "rotation": lambda f: f @ rotation(f.shape[1]),
    "scale": lambda f: 7.0 * f,
}


@pytest.mark.parametrize("loss", RELATIONS)
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("side", [0, 1])
def test_relations_do_not_depend_on(loss, change, side):
    sides = [drawn(8, 12), drawn(8, 20, seed=1)]
    before = loss(*sides)
    sides[side] = CHANGES[change](sides[side])
    close(loss(*sides), before, atol=1e-9 if change == "far translation" else 1e-13)


@pytest.mark.parametrize("loss", RELATIONS)
def test_relations_are_the_same_under_a_common_permutation(loss):
    student, teacher, order = drawn(8, 12), drawn(8, 20, seed=1), torch.randperm(8)
    close(loss(student[order], teacher[order]), loss(student, teacher), atol=1e-14)


@pytest.mark.parametrize("loss", RELATIONS)
@pytest.mark.parametrize("batch", [1, 2])
def test_relations_of_the_smallest_batches_are_finite(loss, batch):
    student = drawn(batch, 4).requires_grad_()
    found = loss(student, drawn(batch, 6, seed=1))
    close(found, 0.0, atol=1e-12)  # one pair has no other to be compared with
    assert torch.autograd.grad(found, student)[0].isfinite().all()


@pytest.mark.parametrize("loss", RELATIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("alike", [(True, True), (True, False), (False, True)])
def test_relations_of_identical_images_are_finite(loss, dtype, alike):
    sides = [drawn(5, 4).to(dtype), drawn(5, 6, seed=1).to(dtype)]
    student, teacher = (f[:1].repeat(5, 1) if a else f for f, a in zip(sides, alike, strict=True))
    student.requires_grad_()
    found = loss(student, teacher)
    assert found.isfinite()
    assert torch.autograd.grad(found, student)[0].isfinite().all()


def test_two_coinciding_samples_have_no_direction_between_them():
    features = drawn(4, 6)
    features[1] = features[0]
    unit = F.normalize(features[None] - features[:, None], dim=2)
    wanted = F.smooth_l1_loss(unit @ unit.mT, torch.zeros(4, 4, 4, dtype=torch.float64))
    identical = torch.zeros(4, 3, dtype=torch.float64)
    close(angle_relation(features, identical), wanted)


def test_angles_need_no_tensor_of_differences():
    """128 views of 2048 numbers: the differences alone would be 256 MiB in float64."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Largest(TorchDispatchMode):
        numbers = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            out = function(*args, **(kwargs or {}))
            if isinstance(out, Tensor):
                self.numbers = max(self.numbers, out.numel())
            return out

    student, teacher = drawn(32, 512).requires_grad_(), drawn(32, 2048, seed=1)
    with Largest() as seen:
        angle_relation(student, teacher).backward()
    assert seen.numbers <= 32 * 2048


@pytest.mark.parametrize("loss", RELATIONS)
def test_relations_keep_their_precision_under_autocast(loss):
    student, teacher = drawn(8, 12).float() + 50.0, drawn(8, 20, seed=1).float() + 50.0
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = loss(student, teacher)
    close(found, loss(student.double(), teacher.double()).float(), atol=1e-7)


@pytest.mark.parametrize("loss", RELATIONS)
def test_relations_refuse_other_batches(loss):
    with pytest.raises(InputError, match="same samples"):
        loss(drawn(4, 3), drawn(5, 3))
    with pytest.raises(InputError, match="same samples"):
        loss(drawn(4, 3, 2, 2), drawn(4, 3))


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
