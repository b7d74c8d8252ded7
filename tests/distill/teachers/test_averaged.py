"""Ensembles and views: averages of outputs that are computed one by one."""

from __future__ import annotations

import pytest
import torch
from tiny_methods import SUBCLASS_OF, network

from edgekd.distill.task import training_task
from edgekd.distill.teachers.averaged import Ensemble, TurnedViews, average_of, turned
from edgekd.distill.teachers.teacher import Teacher, TeacherSetup

PIXELS = torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(0))
TASK = training_task("classification")


def two(subclass_of: tuple[int, ...] = ()):
    made = [network(seed, 4, 4, 8, 8, subclass_of=subclass_of).eval() for seed in (0, 1)]
    with torch.no_grad():
        for each in made:
            each.network.fc.weight.mul_(20)
    return made


@torch.no_grad()
def test_an_ensemble_averages_its_members():
    members = two()
    ensemble = Ensemble(members, (0.25, 0.75), average_of(TASK, "probabilities")).eval()
    first, second = (member(PIXELS).softmax(1) for member in members)
    torch.testing.assert_close(ensemble(PIXELS).softmax(1), 0.25 * first + 0.75 * second)
    logits = Ensemble(members, (0.25, 0.75), average_of(TASK, "logits")).eval()
    expected = 0.25 * members[0](PIXELS) + 0.75 * members[1](PIXELS)
    torch.testing.assert_close(logits(PIXELS), expected)
    assert not torch.allclose(logits(PIXELS).softmax(1), ensemble(PIXELS).softmax(1), atol=1e-3)


@torch.no_grad()
def test_an_ensemble_of_findings_averages_each_probability():
    members, task = two(), training_task("multilabel")
    ensemble = Ensemble(members, (0.5, 0.5), average_of(task, "probabilities")).eval()
    first, second = (member(PIXELS).sigmoid() for member in members)
    torch.testing.assert_close(ensemble(PIXELS).sigmoid(), (first + second) / 2)


@torch.no_grad()
def test_an_ensemble_of_subclasses_averages_subclasses():
    members = two(SUBCLASS_OF)
    ensemble = Ensemble(members, (0.5, 0.5), average_of(TASK, "probabilities")).eval()
    outputs = Teacher(ensemble, TeacherSetup(), head=True).outputs(None, PIXELS)
    first, second = (member.outputs(PIXELS).softmax(1) for member in members)
    torch.testing.assert_close(outputs.softmax(1), (first + second) / 2)
    mixed = Ensemble([members[0], two()[0]], (0.5, 0.5), average_of(TASK, "probabilities")).eval()
    assert mixed.subclass_of == ()
    assert mixed(PIXELS).shape == (5, 5)


@pytest.mark.parametrize("views", [1, 2, 4, 8])
def test_views_are_different_and_the_first_is_the_image(views):
    image = torch.arange(9.0).reshape(1, 1, 3, 3)
    made = list(turned(image, views))
    assert made[0].equal(image)
    assert len({tuple(view.flatten().tolist()) for view in made}) == len(made) == views


@torch.no_grad()
@pytest.mark.parametrize("views", [2, 4, 8])
def test_averaged_views_do_not_depend_on_how_the_image_is_turned(views):
    (member, _) = two()
    averaged = TurnedViews(member, views, average_of(TASK, "probabilities")).eval()
    expected = averaged(PIXELS)
    changed = PIXELS.flip(3) if views == 2 else torch.rot90(PIXELS, 1, (2, 3))
    torch.testing.assert_close(averaged(changed), expected, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(member(changed), member(PIXELS), atol=1e-3)
