"""What every loss between a student and a teacher keeps to."""

from __future__ import annotations

import pytest
import torch
from loss_checks import close, drawn

from edgekd.distill.losses import (
    angle_relation,
    attention_transfer,
    channel_relation,
    distance_relation,
    hint,
    non_target_kl,
    similarity_transfer,
    softened_kl,
    target_kl,
    transformed_kl,
)
from edgekd.errors import InputError

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


@pytest.mark.parametrize("loss", [channel_relation, hint])
def test_maps_of_other_shapes_are_refused(loss):
    with pytest.raises(InputError, match="two maps"):
        loss(drawn(2, 4, 3, 3), drawn(2, 5, 3, 3))
