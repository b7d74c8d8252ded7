"""What the mathematics asks of the losses: limits, invariances, degenerate batches."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from edgekd.distill.losses import (
    angle_relation,
    attention_map,
    attention_transfer,
    channel_relation,
    class_weights,
    distance_relation,
    hint,
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
from edgekd.errors import InputError

RELATIONS = [distance_relation, angle_relation]


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def close(found: Tensor, wanted: Tensor | float, atol: float = 1e-12) -> None:
    wanted = torch.as_tensor(wanted, dtype=found.dtype)
    torch.testing.assert_close(found.detach(), wanted, atol=atol, rtol=0.0)


LABELS = torch.tensor([0, 1, 2, 3, 4, 0])
PAIRS = {
    "softened_kl": (lambda s, t: softened_kl(s, t, 4.0), (6, 5)),
    "target_kl": (lambda s, t: target_kl(s, t, LABELS, 4.0), (6, 5)),
    "non_target_kl": (lambda s, t: non_target_kl(s, t, LABELS, 4.0), (6, 5)),
    "distance": (distance_relation, (6, 5)),
    "angle": (angle_relation, (6, 5)),
    "channel": (channel_relation, (3, 5, 2, 2)),
    "hint": (hint, (3, 5, 2, 2)),
    "attention": (attention_transfer, (3, 5, 2, 2)),
    "transformed": (lambda s, t: transformed_kl(s, t, LABELS), (6, 5)),
    "similarity": (similarity_transfer, (6, 2)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_no_gradient_reaches_the_teacher(name):
    loss, shape = PAIRS[name]
    student, teacher = drawn(*shape).requires_grad_(), drawn(*shape, seed=1).requires_grad_()
    loss(student, teacher).backward()
    assert student.grad is not None
    assert student.grad.abs().sum() > 0
    assert teacher.grad is None


@pytest.mark.parametrize("name", PAIRS)
def test_a_student_like_its_teacher_costs_nothing(name):
    loss, shape = PAIRS[name]
    student = drawn(*shape).requires_grad_()
    found = loss(student, student.detach().clone())
    close(found, 0.0, atol=1e-8)
    assert torch.autograd.grad(found, student)[0].isfinite().all()


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_half_precision_gives_a_finite_float32(name, dtype):
    loss, shape = PAIRS[name]
    found = loss(drawn(*shape).to(dtype), drawn(*shape, seed=1).to(dtype))
    assert found.isfinite()
    if name in ("distance", "angle", "channel", "hint", "attention"):
        assert found.dtype == torch.float32


# Softened outputs ------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [0, 1])
def test_softened_kl_ignores_a_constant_on_the_logits(side):
    logits = [drawn(6, 5), drawn(6, 5, seed=1)]
    before = softened_kl(*logits, 4.0)
    logits[side] = logits[side] + drawn(6, 1, seed=2)
    close(softened_kl(*logits, 4.0), before)


def test_softened_kl_of_a_high_temperature_is_the_distance_of_centred_logits():
    student, teacher = drawn(6, 5), drawn(6, 5, seed=1)
    centred = [logits - logits.mean(1, keepdim=True) for logits in (student, teacher)]
    limit = 0.5 * (centred[0] - centred[1]).square().mean(1).mean()
    close(softened_kl(student, teacher, 1e4), limit, atol=1e-3)


def test_softened_kl_weighs_samples():
    student, teacher = drawn(6, 5), drawn(6, 5, seed=1)
    weights = torch.tensor([1.0, 0, 0, 0, 0, 0], dtype=torch.float64)
    close(softened_kl(student, teacher, 2.0, weights), softened_kl(student[:1], teacher[:1], 2.0))


def test_decoupled_parts_make_up_the_whole():
    """KL = TCKD + (1 − p_target)·NCKD, for one sample at T = 1 (equation 7 of the paper)."""
    student, teacher = drawn(1, 5), drawn(1, 5, seed=1)
    target = torch.tensor([3])
    others = 1 - teacher.softmax(1)[0, 3]
    parts = target_kl(student, teacher, target, 1.0) + others * non_target_kl(
        student, teacher, target, 1.0
    )
    close(softened_kl(student, teacher, 1.0), parts)


def test_two_classes_have_no_other_classes():
    found = non_target_kl(drawn(4, 2), drawn(4, 2, seed=1), torch.tensor([0, 1, 1, 0]), 4.0)
    close(found, 0.0)


def test_sure_logits_stay_finite():
    student = torch.tensor([[200.0, -200.0, 0.0]], requires_grad=True)
    teacher = torch.tensor([[-200.0, 200.0, 0.0]])
    target = torch.tensor([0])
    logits = (student, teacher, target, 1.0)
    loss = target_kl(*logits) + non_target_kl(*logits) + softened_kl(student, teacher, 1.0)
    loss.backward()
    assert loss.isfinite()
    assert student.grad.isfinite().all()


# Relations between samples ---------------------------------------------------------------------


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


# Relations between channels --------------------------------------------------------------------


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


@pytest.mark.parametrize("loss", [channel_relation, hint])
def test_maps_of_other_shapes_are_refused(loss):
    with pytest.raises(InputError, match="two maps"):
        loss(drawn(2, 4, 3, 3), drawn(2, 5, 3, 3))


# Self-supervision ------------------------------------------------------------------------------


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


# Attention, hints, hard labels -----------------------------------------------------------------


def test_attention_is_of_unit_length_and_channels_do_not_count():
    features = drawn(3, 7, 4, 4)
    close(attention_map(features).norm(dim=1), torch.ones(3, dtype=torch.float64))
    shuffled = features[:, torch.randperm(7)]
    close(attention_transfer(3 * shuffled, features), 0.0)
    assert attention_map(torch.zeros(1, 2, 3, 3)).equal(torch.zeros(1, 9))


def test_attention_of_a_larger_map_is_pooled():
    small = drawn(3, 7, 2, 2)
    large = small.repeat_interleave(2, 2).repeat_interleave(2, 3)
    close(attention_transfer(large, small), 0.0)
    close(attention_transfer(small, large), 0.0)


def test_a_hint_is_half_the_mean_square():
    close(hint(torch.full((1, 2, 2, 2), 3.0), torch.zeros(1, 2, 2, 2)), 4.5)


@pytest.mark.parametrize(("balance", "ratio"), [("none", 1.0), ("sqrt", 2.0), ("full", 4.0)])
def test_class_weights(balance, ratio):
    weights = class_weights((80, 20, 0), balance)
    assert weights[1] / weights[0] == pytest.approx(ratio)
    assert weights[2] == 0
    assert (80 * weights[0] + 20 * weights[1]) / 100 == pytest.approx(1.0)


def test_hard_labels_are_normalised_by_the_weights_that_occur():
    logits, targets = drawn(4, 3), torch.tensor([0, 1, 1, 2])
    weights = torch.tensor([1.0, 5.0, 2.0], dtype=torch.float64)
    losses = F.cross_entropy(logits, targets, reduction="none")
    chosen = weights[targets]
    wanted = (chosen * losses).sum() / chosen.sum()
    close(weighted_cross_entropy(logits, targets, weights), wanted)
    close(weighted_cross_entropy(logits, targets, 7 * weights), wanted)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_batch_of_classes_without_weight_costs_nothing(smoothing):
    """A validation batch whose one class has no training image."""
    weights = torch.tensor([1.0, 0.0, 2.0])
    logits, targets = drawn(4, 3).float(), torch.ones(4, dtype=torch.int64)
    close(weighted_cross_entropy(logits, targets, weights, smoothing), 0.0)
