"""Assistants: whom each learns from, how they are kept, and what they cost."""

from __future__ import annotations

from typing import Any

import first_principles as paper
import numpy as np
import pytest
import torch
from composed import SMALLER, SMALLEST, Step
from tiny_methods import batch, method
from torch import Tensor

from edgekd.distill.methods import Method
from edgekd.distill.runs import pipeline
from edgekd.errors import InputError
from edgekd.models import logits_of
from edgekd.recipe import FitSection

LADDERS = ("ces_kd", "assistants")
TWO = [SMALLER, SMALLEST]


def assistant_terms(method: Any, step: Step, c: Any) -> dict[str, Tensor]:
    """Of the first assistant, which learns from the teacher in any case."""
    own = step.see(method.assistants[0]).outputs
    aim = step.see(method.teacher).outputs
    soft = paper.kl(own, aim, c.temperature)
    return {"ce": (1 - c.weight) * step.hard(own), "kd": c.weight * soft}


def second_terms(method: Any, step: Step, c: Any) -> dict[str, Tensor]:
    own = step.see(method.assistants[1]).outputs
    above = method.assistants[0] if getattr(c, "chained", False) else method.teacher
    soft = paper.kl(own, step.see(above).outputs, c.temperature)
    return {"ce": (1 - c.weight) * step.hard(own), "kd": c.weight * soft}


def stage_terms(made: Method, number: int) -> dict[str, Tensor]:
    with torch.no_grad():
        found: dict[str, Tensor] = made.stages()[number].objective(batch())
    return found


@pytest.mark.parametrize("name", LADDERS)
def test_a_chain_learns_from_the_one_before_and_others_from_the_teacher(name: str) -> None:
    chained, apart = (method(name, assistants=TWO, chained=chained) for chained in (True, False))
    for made in (chained, apart):
        assert [stage.name for stage in made.stages()][:-1] == ["assistant_1", "assistant_2"]
    with torch.no_grad():
        chained.assistants[0].network.fc.bias.add_(torch.arange(5.0))
        apart.assistants[0].network.fc.bias.add_(torch.arange(5.0))
    first, second = stage_terms(chained, 1)["kd"], stage_terms(apart, 1)["kd"]
    assert stage_terms(chained, 0)["kd"] == stage_terms(apart, 0)["kd"]
    assert abs(float(first - second)) > 1e-2


def test_assistants_are_those_of_either_method_and_of_any_student() -> None:
    kept = [
        method(name, assistants=TWO, weight=0.7, fit=FitSection(epochs=3)).stages()[1].depends_on
        for name in LADDERS
    ]
    assert kept[0] == kept[1]
    other = method("assistants", assistants=[SMALLEST, SMALLEST], fit=FitSection(epochs=3))
    assert other.stages()[1].depends_on != kept[0]


def test_assistants_begin_with_weights_of_their_own_seed() -> None:
    torch.manual_seed(1)
    first = method("assistants", assistants=TWO)
    torch.manual_seed(2)
    again = method("assistants", assistants=TWO)
    pairs = zip(first.assistants.parameters(), again.assistants.parameters(), strict=True)
    assert all(one.equal(other) for one, other in pairs)


def test_the_cost_is_told_before_it_is_paid() -> None:
    made = method("assistants", assistants=TWO, assistant_fit={"epochs": 3})
    notes = list(made.notes())
    assert len(notes) == 2
    assert all("M parameters, is trained first, for 3 epochs" in note for note in notes)


def test_the_teacher_sees_many_images_in_their_order() -> None:
    made: Any = method("assistants", assistants=TWO)
    images = np.random.default_rng(0).integers(0, 256, (70, 32, 32, 3), dtype=np.uint8)
    indices = [*range(69, -1, -2), *range(0, 70, 2)]
    outputs = made.teacher_outputs_for(images, indices)
    expected = logits_of(made.required_teacher, images[indices])
    torch.testing.assert_close(outputs, torch.from_numpy(expected), atol=1e-5, rtol=1e-5)


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(InputError, match="resnet10tt"):
        method("assistants", assistants=[{"arch": "resnet10tt"}])


def test_finished_assistants_are_reused_for_another_student(taught: Any, tmp_path: Any) -> None:
    section = {"assistants": [SMALLEST], "assistant_fit": {"epochs": 1, "batch_size": 16}}
    lines: list[str] = []
    for weights in ({"mixture": True}, {"mixture": False}):
        recipe = taught(method={"name": "assistants", **section, **weights})
        request = pipeline.RunRequest(recipe, tmp_path, say=lines.append, force=True)
        pipeline.distill(request)
    assert sum("assistant_1" in line and "reused" in line for line in lines) == 1
