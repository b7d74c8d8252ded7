"""`cgdd`: its terms against the formulas, and its two players."""

from __future__ import annotations

from typing import Any

import first_principles as paper
import pytest
import torch
from composed import OTHERS
from stepped import (
    Stepped,
    augmented,
    close_terms,
    distance,
    in_float64,
    moments,
    same_choice,
    watched,
)
from tiny_methods import make_context, network

from edgekd.distill.losses import attention_transfer, softened_kl
from edgekd.distill.methods import resolve_method
from edgekd.distill.synthesis.generator import balanced_labels
from edgekd.recipe import FitSection

SMALL = {"latent": 8, "width": 4, "steps": 1}


def terms_of(step: Stepped, smoothing: float) -> dict[str, Any]:
    """The terms of a step, by the networks before it."""
    method, context = step.before, step.context()
    c = method.config
    labels = balanced_labels(context.size, 5, context.generator)
    noise = torch.randn(context.size, c.latent, generator=context.generator).double()
    images = augmented(method.generator.train()(noise, labels)).detach()
    teacher, received = watched(method.teacher, lambda: paper.see(method.teacher, images))
    cautious = paper.see(method.student.eval(), images)
    student = paper.see(method.student.train(), images)
    ones, mean = torch.ones(5), teacher.outputs.softmax(1).mean(0)
    gap = paper.attention(student.maps) - paper.attention(teacher.maps)
    return {
        "one_hot": c.one_hot * paper.cross_entropy(teacher.outputs, labels, ones, 0.0),
        "statistics": c.statistics * distance(method.teacher, moments(received)),
        "class_balance": c.class_balance * (mean * mean.log()).sum(),
        "adversarial": -c.adversarial * same_choice(cautious.outputs, teacher.outputs),
        "kd": c.kd * paper.kl(student.outputs, teacher.outputs, c.temperature),
        "ce": c.ce * paper.cross_entropy(student.outputs, labels, ones, smoothing),
        "attention": c.attention * (gap**2).mean(),
    }


REFERENCES = {"student": terms_of}


@pytest.mark.parametrize("options", [{}, OTHERS["cgdd"]], ids=["default", "other"])
def test_the_terms_are_those_of_the_formulas(options):
    smoothing = 0.2 if options else 0.0
    step = Stepped(in_float64("cgdd", smoothing, **SMALL, **options))
    close_terms(step.terms, REFERENCES["student"](step, smoothing))


def test_each_player_moves_by_its_own_terms_alone():
    step = Stepped(in_float64("cgdd", **SMALL))
    generator, student = gradients_of(step.before)
    for (_, after), before, gradient in moves(step, "student", student):  # SGD at a rate of 0.01
        torch.testing.assert_close(after, before - 0.01 * gradient)
    for (_, after), before, gradient in moves(step, "generator", generator):
        clear = gradient.abs() > 1e-5  # Adam's first step is a whole rate
        moved = (after - before)[clear]
        torch.testing.assert_close(moved, -1e-3 * gradient[clear].sign(), rtol=2e-3, atol=0.0)
    assert all(parameter.grad is None for parameter in step.method.parameters())


def moves(step: Stepped, name: str, gradients: Any) -> Any:
    after, before = (getattr(each, name) for each in (step.method, step.before))
    return zip(after.named_parameters(), before.parameters(), gradients, strict=True)


def gradients_of(method: Any) -> tuple[Any, Any]:
    """Of the generator's terms and of the student's, by the modules before a step."""
    context = Stepped.context()
    labels = balanced_labels(context.size, 5, context.generator)
    noise = torch.randn(context.size, method.config.latent, generator=context.generator).double()
    images = augmented(method.generator.train()(noise, labels))
    made, teacher = method.image_terms(images, labels)
    # At once: the student's own pass changes the running statistics that this one went through.
    generator = torch.autograd.grad(sum(made.values()), list(method.generator.parameters()))
    learnt = method.student_terms(images.detach(), labels, teacher, 0)
    return generator, torch.autograd.grad(sum(learnt.values()), list(method.student.parameters()))


def test_without_attention_and_labels_it_is_plain_distillation():
    step = Stepped(in_float64("cgdd", **SMALL, attention=0.0, ce=0.0))
    reference = terms_of(step, 0.0)
    learnt = step.terms["kd"] + step.terms["ce"] + step.terms["attention"]
    torch.testing.assert_close(learnt, reference["kd"])


def test_the_arrays_of_the_golden(golden, agree):
    g = golden("spec_cgdd")
    agree(attention_transfer(g["feat_s"], g["feat_t"]), g["att_loss"])
    agree(softened_kl(g["logits_s"], g["logits_t"], 4.0), g["kd_T4"])
    kind, config = resolve_method({"name": "cgdd", **SMALL})
    method = kind(config, network(0, 4, 4, 8, 8), network(1, 4, 8, 8, 16), make_context())
    preset = method.label_loss(g["logits_s"], g["preset_label"], torch.ones(5), None)
    agree(preset, g["student_label_ce"])


def test_images_are_made_of_each_class_as_often():
    kind, config = resolve_method({"name": "cgdd", **SMALL})
    fit = FitSection(batch_size=8)
    method = kind(config, network(0, 4, 4, 8, 8), network(1, 4, 8, 8, 16), make_context(fit))
    images, labels = method.synthesised(70, torch.Generator().manual_seed(0))
    assert images.shape == (70, 3, 32, 32)
    assert images.dtype == torch.uint8
    assert torch.bincount(labels).tolist() == [14] * 5
