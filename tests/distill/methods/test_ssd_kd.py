"""SSD-KD: the released code's total, its views and terms, and the losses against their formulas."""

from __future__ import annotations

from typing import Any

import first_principles as paper
import pytest
import torch
from composed import ALL_OPTIONS, INDICES, Step, check, view
from golden_modules import golden_adapter, golden_head, taps
from tiny_methods import batch, method, network
from torch import Tensor

from edgekd.distill.losses import softened_kl, weighted_cross_entropy
from edgekd.distill.methods import Batch
from edgekd.distill.methods.ssd_kd import rotated_views


def test_ssd_kd_totals_the_golden(golden, precision):
    g = golden("ssd_kd")
    made = method("ssd_kd")
    made.class_weights, made.adapter = g["class_weight"].float(), golden_adapter(g)
    made.student_head, made.teacher_head = golden_head(g, "s"), golden_head(g, "t")
    terms = made.terms(taps(g, "s"), taps(g, "t"), g["target"])
    assert float(terms["similarity"].detach()) == pytest.approx(10 * float(g["loss4_ss"]), rel=1e-4)
    assert float(terms["transformed"].detach()) == pytest.approx(
        2.7 * float(g["loss3_tf"]), rel=1e-6
    )
    total = sum(float(term.detach()) for term in terms.values())
    assert total == pytest.approx(float(g["total"]), rel=1e-6)


OFF = {"transformed": 0, "similarity": 0, "relations": 0}


def test_ssd_kd_without_self_supervision_sees_the_normal_view_alone():
    made = method("ssd_kd", **OFF)
    assert made.teacher_head is made.student_head is made.adapter is None
    (stage,) = made.stages()
    sample = batch()
    terms = stage.objective(sample)
    views = made._views(batch())[::4]
    student, teacher = made.student(views), made.required_teacher(views)
    hard = weighted_cross_entropy(student, sample.targets, made.class_weights)
    torch.testing.assert_close(terms["ce"], 0.1 * hard)
    torch.testing.assert_close(terms["kd"], 0.9 * softened_kl(student, teacher, 4.0))
    assert terms.keys() == {"ce", "kd"}


@pytest.mark.parametrize(
    ("off", "gone"),
    [
        ({"kd": 0}, {"kd"}),
        ({"transformed": 0}, {"transformed"}),
        ({"similarity": 0}, {"similarity"}),
        ({"relations": 0}, {"distance", "angle", "channel"}),
        ({"relation": {"angle": 0}}, {"angle"}),
        ({"relation": {"distance": 0}}, {"distance"}),
        ({"relation": {"channel": 0}}, {"channel"}),
    ],
)
def test_each_term_can_be_switched_off(off, gone):
    every = set(method("ssd_kd").stages()[-1].objective(batch()))
    assert set(method("ssd_kd", **off).stages()[-1].objective(batch())) == every - gone


def test_views_are_turned_image_by_image():
    images = torch.rand(2, 3, 4, 4)
    views = rotated_views(images)
    assert views[0].equal(images[0])
    assert views[4].equal(images[1])
    for quarter in range(4):
        assert views[4 + quarter].equal(torch.rot90(images[1], quarter, (1, 2)))


def test_every_view_is_changed_by_its_own_draw_and_a_mirror_is_shared():
    drawn = torch.Generator().manual_seed(0)
    raw = torch.rand(1, 3, 4, 4, generator=drawn).repeat(16, 1, 1, 1)
    seen = []

    def change(pixels: Tensor) -> Tensor:
        seen.append(pixels)
        return pixels

    sample = Batch(raw, torch.zeros(16), torch.zeros(16), 0, change, drawn)
    method("ssd_kd")._views(sample)
    (views,) = seen  # one call: augmentation draws for each of its images
    assert len(views) == 64
    kinds = torch.unique(views[::4], dim=0)
    assert len(kinds) == 2  # mirrored or not
    assert views.equal(rotated_views(views[::4]))


def test_the_teachers_head_does_not_depend_on_the_student():
    first = method("ssd_kd", student=network(0, 4, 4, 8, 8))
    second = method("ssd_kd", student=network(3, 4, 8, 8, 12))
    state = second.teacher_head.state_dict()
    assert all(tensor.equal(state[key]) for key, tensor in first.teacher_head.state_dict().items())
    assert first.stages()[0].depends_on == second.stages()[0].depends_on


def test_the_teachers_head_is_trained_as_in_the_released_code():
    fit = method("ssd_kd", teacher_head={"epochs": 3}).stages()[0].fit
    assert (fit.epochs, fit.optimizer, fit.schedule, fit.learning_rate) == (3, "sgd", "steps", 1e-3)
    assert fit.milestones == (30, 45)


def turned_views(step: Step) -> Tensor:
    """Each image mirrored by chance, then turned by 0, 1, 2 and 3 quarters, then changed."""
    chance = torch.rand(len(step.pixels), 1, 1, 1, generator=step.drawn)
    views = []
    for image, mirrored in zip(step.pixels, chance < 0.5, strict=True):
        image = image.flip(2) if mirrored else image
        views += [torch.rot90(image, quarter, (1, 2)) for quarter in range(4)]
    return view(torch.stack(views), 1)


def head_terms(method: Any, step: Step, c: Any) -> dict[str, Tensor]:
    with torch.no_grad():
        pooled = paper.see(method.teacher, turned_views(step)).pooled
    scores = paper.similarity(method.teacher_head, pooled)
    own = torch.arange(len(INDICES)).repeat_interleave(3)
    rows = paper.log_probabilities(scores)[torch.arange(len(own)), own]
    return {"contrast": -rows.mean()}


def ssd_kd_terms(method: Any, step: Step, c: Any) -> dict[str, Tensor]:
    views = turned_views(step)
    with torch.no_grad():
        own, guide = paper.see(method.student, views), paper.see(method.teacher, views)
    turned = [row for row in range(len(views)) if row % 4]
    labels = step.targets.repeat_interleave(3).tolist()
    s, t = own.outputs[turned], guide.outputs[turned]
    kept = paper.believed(t, labels, c.transformed_ratio)
    near = paper.similarity(method.student_head, own.pooled)
    far = paper.similarity(method.teacher_head, guide.pooled)
    sources = [row // 3 for row in range(len(turned))]
    found = paper.believed(far, sources, c.similarity_ratio)
    tau, soft = c.similarity_temperature, c.temperature
    related = paper.relations(own, guide, method.adapter)
    return {
        "ce": c.ce * step.hard(own.outputs[::4]),
        "kd": c.kd * paper.kl(own.outputs[::4], guide.outputs[::4], soft),
        "transformed": c.transformed * paper.kl(s[kept], t[kept], soft),
        "similarity": c.similarity * paper.kl(near[found], far[found], tau),
        **{name: c.relations * c.relation[name] * term for name, term in related.items()},
    }


REFERENCES = {"teacher_head": head_terms, "student": ssd_kd_terms}


@ALL_OPTIONS
@pytest.mark.parametrize("stage", REFERENCES)
def test_the_loss_is_that_of_the_formulas(stage, options):
    check("ssd_kd", stage, REFERENCES[stage], options)
