"""Born-again networks: each generation's loss by the formulas, what it shares, and a whole run."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import first_principles as paper
import numpy as np
import pytest
import torch
from composed import ALL_OPTIONS, Step, check
from small_runs import history
from tiny_methods import batch, make_context, method, network
from torch import Tensor

from edgekd.distill.losses import softened_kl
from edgekd.distill.methods import Method, resolve_method
from edgekd.distill.runs import pipeline
from edgekd.errors import InputError
from edgekd.metrics.few_shot import unit_length
from edgekd.models.features import features_of
from edgekd.recipe import FitSection


def gradients(made: Method, number: int) -> dict[str, Tensor]:
    """Of a stage's whole loss, by the student's parameters."""
    stage = made.stages()[number]
    stage.set_trainable(made)
    assert stage.objective is not None
    torch.stack(list(stage.objective(batch()).values())).sum().backward()
    found = {n: p.grad.clone() for n, p in made.student.named_parameters() if p.grad is not None}
    made.zero_grad(set_to_none=True)
    return found


@pytest.mark.parametrize("weight", [0.5, 0.2])
def test_a_student_with_its_teachers_weights_learns_from_labels_alone(weight: float) -> None:
    made, plain = method("born_again", weight=weight), method("none")
    assert made.student.state_dict().keys() == made.earlier[0].state_dict().keys()
    terms = made.stages()[-1].objective(batch())
    assert float(terms["kd"].detach()) == pytest.approx(0.0, abs=1e-6)
    found, expected = gradients(made, -1), gradients(plain, 0)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], (1 - weight) * gradient, rtol=1e-3, atol=1e-5)


def test_no_weight_of_the_teacher_is_cross_entropy_alone() -> None:
    made, plain = method("born_again", weight=0.0), method("none")
    torch.nn.init.normal_(made.earlier[0].network.fc.weight)
    found, expected = gradients(made, -1), gradients(plain, 0)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient)


def test_each_generation_is_taught_by_the_one_before_it() -> None:
    made = method("born_again", generations=3, temperature=3.0, weight=0.25)
    for number, generation in enumerate([*made.earlier, made.student]):
        torch.manual_seed(number)
        torch.nn.init.normal_(generation.network.fc.weight)
    stages = made.stages()
    names = ["generation_0", "generation_1", "generation_2", "student"]
    assert [stage.name for stage in stages] == names
    networks = [*made.earlier, made.student]
    assert stages[0].objective(batch()).keys() == {"ce"}
    for number in range(1, 4):
        with torch.no_grad():
            found = stages[number].objective(batch())["kd"]
            pixels = batch().pixels
            expected = softened_kl(networks[number](pixels), networks[number - 1](pixels), 3.0)
        torch.testing.assert_close(found, 0.25 * expected)
        assert stages[number].evaluated is networks[number]


def test_the_formula_in_float64() -> None:
    """Of fresh outputs, written out in NumPy: T² · mean Σ p (log p − log q)."""
    made = method("born_again", temperature=4.0).double()
    rng = np.random.default_rng(11)
    for generation in (made.student, made.earlier[0]):
        weights = rng.normal(size=tuple(generation.network.fc.weight.shape))
        generation.network.fc.weight.data.copy_(torch.from_numpy(weights))
    images = batch()
    images = replace(images, raw=images.raw.double())
    with torch.no_grad():
        found = made.stages()[-1].objective(images)
        own, aim = (net(images.pixels).numpy() for net in (made.student, made.earlier[0]))

    def log_softmax(z: Any) -> Any:
        return z - np.log(np.exp(z).sum(1, keepdims=True))

    p, q = log_softmax(aim / 4.0), log_softmax(own / 4.0)
    kl = 16.0 * (np.exp(p) * (p - q)).sum(1).mean()
    assert kl > 1e-3
    assert float(found["kd"]) == pytest.approx(0.5 * kl, rel=1e-10)


def test_features_of_an_image_have_unit_norm_where_a_head_reads_them() -> None:
    made = method("born_again")
    with torch.no_grad():
        pooled = features_of(made.student, batch().pixels).pooled.double().numpy()
    norms = np.linalg.norm(unit_length(pooled), axis=1)
    np.testing.assert_allclose(norms, 1.0, rtol=1e-12)
    assert np.linalg.norm(pooled, axis=1).std() > 0


def test_generations_are_those_of_the_same_start_and_the_same_options() -> None:
    def keys(seed: int = 0, **options: Any) -> list[Any]:
        fit = FitSection(epochs=int(options.pop("epochs", 3)))
        made = method("born_again", student=network(seed, 4, 4, 8, 8), fit=fit, **options)
        return [stage.depends_on for stage in made.stages()]

    one, two = keys(), keys(generations=2)
    assert one[0] == two[0]
    assert one[-1] is two[-1] is None
    softer, lighter = keys(generations=2, temperature=2.0), keys(generations=2, weight=0.1)
    assert softer[0] == lighter[0] == two[0]
    assert len({two[1], softer[1], lighter[1]}) == 3
    assert keys(seed=1)[0] != one[0]
    assert keys(epochs=4)[0] != one[0]


def test_the_cost_is_told_before_it_is_paid() -> None:
    (note,) = method("born_again", fit=FitSection(epochs=7)).notes()
    assert note.startswith("1 network like the student is trained first")
    assert "7 epochs each" in note
    (note,) = method("born_again", generations=2).notes()
    assert note.startswith("2 networks like the student are trained first")


@pytest.mark.parametrize("options", [{"generations": 0}, {"weight": 1.5}, {"temperature": 0}])
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        resolve_method({"name": "born_again", **options})


def test_a_teacher_network_is_not_changed_by_its_student() -> None:
    kind, config = resolve_method({"name": "born_again"})
    student = network(0, 4, 4, 8, 8)
    made = kind(config, student, None, make_context())
    made.eval()  # as training has every module that the stage does not update
    before = copy.deepcopy(made.earlier[0].state_dict())
    stage = made.stages()[-1]
    stage.set_trainable(made)
    made.student.train()
    torch.stack(list(stage.objective(batch()).values())).sum().backward()
    assert all(p.grad is None for p in made.earlier.parameters())
    assert all(tensor.equal(before[key]) for key, tensor in made.earlier[0].state_dict().items())


def test_a_run_reuses_the_generation_that_a_longer_chain_begins_with(
    recipe: Any, tmp_path: Any
) -> None:
    lines: list[str] = []
    for generations in (1, 2):
        chain = recipe(method={"name": "born_again", "generations": generations}, teacher=None)
        pipeline.distill(pipeline.RunRequest(chain, tmp_path, say=lines.append, force=True))
    assert sum("generation_0" in line and "reused" in line for line in lines) == 1
    assert not any("generation_1" in line and "reused" in line for line in lines)
    assert len(history(tmp_path / "student")) == 2


def first_terms(method: Any, step: Step, c: Any) -> dict[str, Tensor]:
    return {"ce": step.hard(step.see(method.earlier[0]).outputs)}


def taught_terms(method: Any, step: Step, c: Any, number: int) -> dict[str, Tensor]:
    networks = [*method.earlier, method.student]
    own, aim = step.see(networks[number]).outputs, step.see(networks[number - 1]).outputs
    soft = paper.kl(own, aim, c.temperature)
    return {"ce": (1 - c.weight) * step.hard(own), "kd": c.weight * soft}


def student_terms(method: Any, step: Step, c: Any) -> dict[str, Tensor]:
    return taught_terms(method, step, c, c.generations)


REFERENCES = {"generation_0": first_terms, "student": student_terms}


@ALL_OPTIONS
@pytest.mark.parametrize("stage", REFERENCES)
def test_the_loss_is_that_of_the_formulas(stage, options):
    check("born_again", stage, REFERENCES[stage], options)


def test_the_loss_of_a_generation_between():
    def between(method: Any, step: Step, c: Any) -> dict[str, Tensor]:
        return taught_terms(method, step, c, 1)

    check("born_again", "generation_1", between, "other")
