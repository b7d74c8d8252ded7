"""CES-KD: each image is taught by its own expert, when its stratum has joined."""

from __future__ import annotations

from typing import Any

import first_principles as paper
import pytest
import torch
from composed import ALL_OPTIONS, INDICES, SIZE, SMALLER, SMALLEST, Step, check
from test_assistant_ladder import assistant_terms, second_terms
from tiny_methods import batch, method, prepared, run_samples
from torch import Tensor

from edgekd.distill.methods import Method
from edgekd.errors import InputError
from edgekd.recipe import FitSection

TWO = [SMALLER, SMALLEST]
FIT = FitSection(epochs=10)


def terms(made: Method, epoch: int = 9) -> dict[str, Tensor]:
    with torch.no_grad():
        found: dict[str, Tensor] = prepared(made.stages()[-1]).objective(batch(epoch))
    return found


@pytest.mark.parametrize("epoch", [0, 9])
def test_without_assistants_it_is_plain_distillation(epoch: int) -> None:
    found = terms(method("ces_kd", assistants=[], weight=0.4, curriculum=0.0, fit=FIT), epoch)
    with torch.no_grad():
        plain = method("kd", weight=0.4, fit=FIT).stages()[0].objective(batch(epoch))
    for name, value in plain.items():
        torch.testing.assert_close(found[name], value)


def test_experts_that_are_all_alike_are_plain_distillation() -> None:
    made = method("ces_kd", assistants=[SMALLEST, SMALLEST], fit=FIT)
    for assistant in made.assistants:
        assistant.network = made.teacher.network
    with torch.no_grad():
        plain = method("kd", weight=0.9, fit=FIT).stages()[0].objective(batch(9))
    torch.testing.assert_close(terms(made)["kd"], plain["kd"])


def test_each_expert_sees_its_own_images_alone() -> None:
    made = method("ces_kd", assistants=TWO, fit=FIT)
    seen: dict[int, int] = {}
    experts = (made.assistants[1], made.assistants[0], made.teacher)
    for level, expert in enumerate(experts):
        expert.register_forward_pre_hook(
            lambda _, inputs, level=level: seen.__setitem__(level, len(inputs[0]))
        )
    stage = prepared(made.stages()[-1])
    seen.clear()
    stage.objective(batch(9))
    strata = made.strata[:6]
    assert seen == {level: int((strata == level).sum()) for level in set(strata.tolist())}


def test_the_strata_are_those_of_the_whole_training_part() -> None:
    made = method("ces_kd", assistants=TWO, fit=FIT)
    prepared(made.stages()[-1])
    assert torch.bincount(made.strata[:60]).tolist() == [20, 20, 20]
    assert (made.strata[60:] == -1).all()
    run = run_samples()
    pixels = torch.from_numpy(run.images[:60]).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        p = made.teacher(pixels).double().softmax(1)[torch.arange(60), torch.arange(60) % 5]
    assert p[made.strata[:60] == 0].min() >= p[made.strata[:60] == 2].max()


def test_images_of_later_strata_learn_from_their_label_alone() -> None:
    made = method("ces_kd", assistants=TWO, curriculum=1.0, fit=FIT)
    prepared(made.stages()[-1])
    made.strata[:6] = torch.tensor([0, 0, 1, 1, 2, 2])
    images = batch()
    stage = made.stages()[-1]
    student = made.student(images.pixels)
    experts = (made.assistants[1], made.assistants[0], made.teacher)
    for epoch, joined in ((0, 2), (4, 4), (9, 6)):
        rows = [
            paper.kl(
                student[n : n + 1].double(), experts[n // 2](images.pixels)[n : n + 1].double(), 4.0
            )
            for n in range(joined)
        ]
        expected = 0.9 * torch.stack(rows).sum() / 6.0
        torch.testing.assert_close(
            stage.objective(batch(epoch))["kd"].double(), expected, rtol=1e-4, atol=1e-6
        )


def test_a_batch_of_images_that_have_not_joined_has_no_softened_loss() -> None:
    made = method("ces_kd", assistants=TWO, curriculum=1.0, fit=FIT)
    prepared(made.stages()[-1])
    made.strata[:6] = 2
    found = made.stages()[-1].objective(batch(0))
    assert found["kd"] == 0.0
    assert found["ce"] > 0.0


def test_too_few_images_are_refused() -> None:
    made = method("ces_kd", assistants=TWO, fit=FIT)
    with pytest.raises(InputError, match="2 training images cannot be divided among 3 experts"):
        made.stages()[-1].prepare(run_samples(validated=78))


def ces_kd_terms(method: Any, step: Step, c: Any) -> dict[str, Tensor]:
    """The strata are known; the experts of this batch's images are looked up in them."""
    experts = [*reversed(method.assistants), method.teacher]
    own = step.see(method.student).outputs
    outputs = [step.see(expert).outputs for expert in experts]
    run = run_samples(SIZE)
    pixels = torch.from_numpy(run.images[:60]).permute(0, 3, 1, 2) / 255
    p = paper.see(method.teacher, pixels).outputs.softmax(1)
    order = [int(n) for n in (1 - p[torch.arange(60), torch.arange(60) % 5]).argsort(stable=True)]
    length, rows = c.curriculum * 10, []
    for position, index in enumerate(INDICES.tolist()):
        level = order.index(index) * len(experts) // 60
        joined = len(experts) if step.epoch >= length else 1 + step.epoch * len(experts) // length
        aim = outputs[level][position : position + 1]
        kl = paper.kl(own[position : position + 1], aim, c.temperature)
        rows.append(kl if level < joined else torch.zeros_like(kl))
    return {"ce": (1 - c.weight) * step.hard(own), "kd": c.weight * torch.stack(rows).mean()}


REFERENCES = {"assistant_1": assistant_terms, "student": ces_kd_terms}


@ALL_OPTIONS
@pytest.mark.parametrize("stage", REFERENCES)
def test_the_loss_is_that_of_the_formulas(stage, options):
    check("ces_kd", stage, REFERENCES[stage], options)


def test_the_loss_of_a_second_assistant():
    check("ces_kd", "assistant_2", second_terms, "other")
