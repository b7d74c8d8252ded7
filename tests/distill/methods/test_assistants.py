"""Teaching assistants: the mixture against the golden and its formulas, and what is refused."""

from __future__ import annotations

from typing import Any

import first_principles as paper
import pytest
import torch
from composed import ALL_OPTIONS, SIZE, SMALLER, SMALLEST, Step, check
from test_assistant_ladder import assistant_terms, second_terms
from tiny_methods import batch, method, prepared, run_samples
from torch import Tensor

from edgekd.distill.losses import softened_kl
from edgekd.distill.task import training_task
from edgekd.distill.teachers.evolution import evolved_weights
from edgekd.errors import InputError
from edgekd.recipe import FitSection

FIT = FitSection(epochs=10)
THREE = [SMALLER, SMALLEST, SMALLEST]


def test_the_golden(golden, agree):
    g = golden("spec_ta_ensemble")
    made = method("assistants", assistants=THREE, temperature=4.0)
    made.weights = g["weights"]
    softened = g["expert_logits"] / 4.0
    mixture = 4.0 * training_task("classification").mean_probabilities(softened, g["weights"])
    agree((mixture / 4.0).softmax(1), g["ensemble_prob_T"])
    agree(softened_kl(g["student_logits"], mixture, 4.0), g["kd_loss"])
    found = made.mixture(list(g["expert_logits"]))
    torch.testing.assert_close(found.double(), mixture.double(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("only", range(3))
def test_all_weight_on_one_assistant_is_distillation_from_it(only: int) -> None:
    made = method("assistants", assistants=THREE, weight=0.4, fit=FIT)
    made.weights.copy_(torch.eye(3)[only])
    plain = method("kd", weight=0.4, fit=FIT)
    plain.teacher.network = made.assistants[only].network
    with torch.no_grad():
        found = made.stages()[-1].objective(batch())
        expected = plain.stages()[0].objective(batch())
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-6)


def test_assistants_that_are_all_alike_make_the_weights_irrelevant() -> None:
    made = method("assistants", assistants=THREE, fit=FIT)
    for assistant in made.assistants:
        assistant.network = made.assistants[0].network
    found = []
    for weights in ([0.2, 0.3, 0.5], [0.0, 1.0, 0.0]):
        made.weights.copy_(torch.tensor(weights))
        with torch.no_grad():
            found.append(made.stages()[-1].objective(batch())["kd"])
    torch.testing.assert_close(*found)


def test_the_last_assistant_alone_where_there_is_no_mixture() -> None:
    made = method("assistants", assistants=THREE[:2], mixture=False, chained=True, fit=FIT)
    with torch.no_grad():
        found = made.stages()[-1].objective(batch())
        images = batch().pixels
        own, last = made.student(images), made.assistants[1](images)
    torch.testing.assert_close(found["kd"], 0.7 * softened_kl(own, last, 4.0))
    assert made.logged_values() == {}


def test_the_weights_are_found_on_the_validation_part_and_logged() -> None:
    made = method("assistants", assistants=THREE[:2], with_teacher=True, fit=FIT)
    for sharpness, assistant in zip((4.0, 1.0), made.assistants, strict=True):
        torch.nn.init.normal_(assistant.network.fc.weight, std=sharpness)
    prepared(made.stages()[-1])
    run = run_samples()
    pixels = torch.from_numpy(run.images[60:]).permute(0, 3, 1, 2) / 255
    members = [*made.assistants, made.teacher]
    outputs = torch.stack([paper.see(each, pixels).outputs for each in members]).detach()
    targets = torch.from_numpy(run.targets[60:])
    task = training_task("classification")
    assert made.weights.tolist() == pytest.approx(
        evolved_weights(outputs, targets, 5, task), abs=2e-3
    )
    assert made.weights.max() > 0.4
    logged = [float(value) for value in made.logged_values().values()]
    assert logged == pytest.approx(made.weights.tolist())


def test_an_empty_validation_part_is_refused() -> None:
    with pytest.raises(InputError, match="validation part, which is empty"):
        method("assistants").stages()[-1].prepare(run_samples(validated=0))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"assistants": []}, "`assistants` is empty"),
        ({"mixture": False, "with_teacher": True}, "`with_teacher` is of a mixture"),
    ],
)
def test_contradictions_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        method("assistants", **options)


def assistants_terms(method: Any, step: Step, c: Any) -> dict[str, Tensor]:
    members = [*method.assistants, *([method.teacher] if c.with_teacher else [])]
    own = step.see(method.student).outputs
    softened = [(step.see(each).outputs / c.temperature).softmax(1) for each in members]
    run = run_samples(SIZE)
    pixels = torch.from_numpy(run.images[60:]).permute(0, 3, 1, 2) / 255
    outputs = torch.stack([paper.see(each, pixels).outputs for each in members])
    targets, task = torch.from_numpy(run.targets[60:]), training_task("classification")
    weights = evolved_weights(outputs, targets, 5, task)
    aim = sum(w * p for w, p in zip(weights, softened, strict=True))
    rows = (aim * (aim.log() - paper.log_probabilities(own / c.temperature))).sum(1)
    soft = c.temperature**2 * rows.mean()
    return {"ce": (1 - c.weight) * step.hard(own), "kd": c.weight * soft}


REFERENCES = {"assistant_1": assistant_terms, "student": assistants_terms}


@ALL_OPTIONS
@pytest.mark.parametrize("stage", REFERENCES)
def test_the_loss_is_that_of_the_formulas(stage, options):
    check("assistants", stage, REFERENCES[stage], options)


def test_the_loss_of_a_second_assistant():
    check("assistants", "assistant_2", second_terms, "other")
