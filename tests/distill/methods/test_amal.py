"""AMAL: what each image learns by its weights, how they are learnt, and whose terms they mix."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import first_principles as paper
import numpy as np
import pytest
import torch
from composed import ALL_OPTIONS, DEFAULTS, Step, check, kd_terms
from tiny_methods import ASSISTANT, batch, make_context, method, network, prepared, run_samples
from torch import Tensor, nn

from edgekd.distill.methods import Method, load_method, method_names, resolve_method
from edgekd.distill.methods.amal import ImageWeights
from edgekd.errors import InputError
from edgekd.recipe import FitSection

FIT = FitSection(epochs=10, class_weights="full")
NEVER = {"every": 1.0}  # in the last epoch alone
WITHOUT_IMAGES = [name for name in method_names() if not load_method(name).needs_images]
UNMIXED = ("smpl", "ssl_kd", "meta_curriculum", *WITHOUT_IMAGES)
MIXED = [name for name in method_names() if name not in ("amal", "none", *UNMIXED)]


def amal(of: str = "kd", fit: FitSection = FIT, **options: Any) -> Method:
    few = {"assistants": [ASSISTANT]} if of in ("ces_kd", "assistants") else {}
    host = {"name": of, **few, **options.pop("with", {})}
    return method("amal", fit=fit, of=host, **options)


def gradient(made: Method, epoch: int = 0) -> dict[str, Tensor]:
    stage = prepared(made.stages()[-1])
    stage.set_trainable(made)
    for module in stage.optimised:
        module.train()
    assert stage.objective is not None
    torch.stack(list(stage.objective(batch(epoch)).values())).sum().backward()
    found = {name: p.grad.clone() for name, p in made.named_parameters() if p.grad is not None}
    made.zero_grad(set_to_none=True)
    return found


def test_each_image_learns_by_its_own_weights() -> None:
    made = amal(**NEVER, **{"with": {"temperature": 3.0, "weight": 0.4}})
    weights = torch.rand(80, 2, generator=torch.Generator().manual_seed(1)) * 2.0
    made.image_weights.weights.copy_(weights)
    found = gradient(made)
    made.requires_grad_(False)
    made.student.requires_grad_(True).train()
    images, of_class = batch(), made.class_weights
    own, aim = made.student(images.pixels), made.teacher(images.pixels)
    loss = torch.zeros(())
    for row, label in enumerate(images.targets.tolist()):
        share = of_class[label] / of_class[images.targets].sum()
        log_q, log_p = (z[row].div(3.0).log_softmax(0) for z in (own, aim))
        kl = 9.0 * (log_p.exp() * (log_p - log_q)).sum() / len(own)
        hard = share * -own[row].log_softmax(0)[label]
        loss = loss + weights[row, 0] * hard + weights[row, 1] * kl
    loss.backward()
    for name, p in made.student.named_parameters():
        torch.testing.assert_close(found[f"student.{name}"], p.grad, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("of", MIXED)
def test_equal_weights_are_the_mixed_method(of: str) -> None:
    found, wanted = gradient(amal(of, **NEVER)), gradient(method(of, fit=FIT))
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("of", MIXED)
def test_the_weights_of_any_method_are_learnt_in_their_epochs(of: str) -> None:
    made = amal(of, every=0.3, step=20.0)
    before = made.image_weights.weights.clone()
    stage = prepared(made.stages()[-1])
    stage.set_trainable(made)
    for epoch in (0, 1, 2):
        terms = stage.objective(batch(epoch))
        assert all(term.isfinite() for term in terms.values())
        assert made.image_weights.weights.equal(before)
        stage.after_step()
        assert made.image_weights.weights.equal(before) == (epoch < 2)
    changed = (made.image_weights.weights != before).any(dim=1).nonzero().flatten()
    assert changed.tolist() == list(range(6))


def test_the_weights_are_those_of_the_formulas() -> None:
    made = amal(every=0.1, step=128.0 / 6.0, images=100, rate=0.05)
    stage = prepared(made.stages()[-1])
    stage.objective(batch())
    stage.after_step()
    with torch.no_grad():
        images, run = batch(), run_samples()
        held = torch.from_numpy(run.images[60:]).permute(0, 3, 1, 2) / 255
        own, judge = paper.see(made.student, images.pixels), paper.see(made.student, held)
        aim = paper.see(made.teacher, images.pixels)
    weights = torch.tensor([0.3, 0.7]).double().repeat(6, 1)
    labels, classes = torch.from_numpy(run.targets[60:]), made.class_weights.double()
    for _ in range(5):
        weights = weights.detach().requires_grad_()
        after = judge.outputs.clone()
        for i, label in enumerate(images.targets.tolist()):
            q, p = (z[i].div(4.0).softmax(0) for z in (own.outputs, aim.outputs))
            hard = own.outputs[i].softmax(0) - torch.eye(5).double()[label]
            hard = hard * classes[label] / classes[images.targets].sum()
            mixed = weights[i, 0] * hard + weights[i, 1] * 4.0 * (q - p) / 6.0
            after = after - 0.05 * (1.0 + judge.pooled @ own.pooled[i])[:, None] * mixed
        loss = paper.cross_entropy(after, labels, classes, 0.0)
        (slope,) = torch.autograd.grad(loss, weights)
        weights = (weights - slope).clamp(1e-7, 2.0 - 1e-7)
    found = made.image_weights.weights[:6].double()
    assert (found - torch.tensor([0.3, 0.7])).abs().max() > 1e-3
    torch.testing.assert_close(found, weights.detach(), rtol=1e-3, atol=1e-5)


def test_the_mean_weights_are_logged() -> None:
    made = amal(**NEVER)
    made.image_weights.weights.mul_(0.5)
    made.stages()[-1].objective(batch())
    logged = {name: float(value) for name, value in made.logged_values().items()}
    assert logged == pytest.approx({"weight_ce": 0.15, "weight_kd": 0.35})


def test_held_out_images_do_not_move_the_running_statistics() -> None:
    made = amal(every=0.1)
    stage = prepared(made.stages()[-1])
    before = {k: v.clone() for k, v in made.state_dict().items() if "running" in k}
    stage.objective(batch())
    assert all(v.equal(before[k]) for k, v in made.state_dict().items() if "running" in k)


@pytest.mark.parametrize(("sampling", "share"), [("none", 1 / 20), ("full", 1 / 2)])
def test_held_out_images_are_of_classes_as_often_as_training_draws_them(
    sampling: Any, share: float
) -> None:
    """A rare class is not lost again by judges that hardly have it."""
    run = replace(run_samples(), targets=(np.arange(80) % 20 == 0).astype(np.int64))
    made = amal(fit=FitSection(epochs=10, class_sampling=sampling), images=20)
    made.stages()[-1].prepare(run)
    judges = torch.cat([made._judges(batch(seed=seed))[1] for seed in range(50)])
    assert float(judges.float().mean()) == pytest.approx(share, abs=0.05)


def test_an_empty_validation_part_is_refused() -> None:
    with pytest.raises(InputError, match="validation part, which is empty"):
        amal().stages()[-1].prepare(run_samples(validated=0))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"of": {"name": "amal"}}, "cannot mix the terms of amal"),
        ({"of": {"name": "kdd"}}, "kdd"),
        ({"of": {"name": "kd", "wight": 1}}, "wight"),
        ({"of": {"name": "rkd", "ce": 0.0}}, "mixes terms with a weight"),
    ],
)
def test_what_cannot_be_mixed_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        method("amal", **options)


@pytest.mark.parametrize("of", UNMIXED)
def test_steps_of_their_own_and_images_without_labels_are_refused(of: str) -> None:
    with pytest.raises(InputError, match=f"{of} has no terms that amal could mix"):
        amal(of).stages()


def test_a_last_layer_that_is_not_linear_is_refused() -> None:
    student = network(0, 4, 4, 8, 8)
    student.network.fc = nn.Sequential(nn.Linear(8, 5), nn.Identity())
    with pytest.raises(InputError, match="whose last layer is linear, not Sequential"):
        method("amal", student=student)


def test_a_student_that_runs_twice_is_refused() -> None:
    made = amal(**NEVER)
    stage = made.stages()[-1]
    forward = made.student.forward
    made.student.forward = lambda pixels: forward(pixels) + forward(pixels)
    with pytest.raises(InputError, match="saw 2 passes"):
        stage.objective(batch())


def test_the_class_has_the_facts_of_the_mixed_method() -> None:
    plain, _ = resolve_method({"name": "amal", "of": {"name": "none"}})
    assert not plain.needs_teacher
    subclass, _ = resolve_method({"name": "amal", "of": {"name": "skd"}})
    assert subclass.learns_subclasses
    taught, config = resolve_method({"name": "amal", "of": {"name": "rkd"}})
    assert taught.teacher_by(config) == "pooled"
    assert not any(kind.mixes for kind in (plain, subclass, taught))
    kind, config = resolve_method({"name": "amal"})
    made = kind(config, network(0, 4, 4, 8, 8), None, make_context())
    with pytest.raises(InputError, match="needs a teacher"):
        made.stages()[-1].objective(batch())


def mixed_terms(method: Any, step: Step, c: Any) -> dict[str, Tensor]:
    """The logged terms are those of the mixed method."""
    numbers = DEFAULTS["kd"] | c.of
    return kd_terms(method, step, type("Numbers", (), numbers))


REFERENCES = {"student": mixed_terms}


@ALL_OPTIONS
@pytest.mark.parametrize("stage", REFERENCES)
def test_the_loss_is_that_of_the_formulas(stage, options):
    check("amal", stage, REFERENCES[stage], options)


def test_an_image_that_is_drawn_twice_has_the_mean_of_what_was_learnt() -> None:
    weights = ImageWeights(4, {"ce": 0.1, "kd": 0.9})
    learnt = torch.tensor([[0.2, 0.8], [0.4, 0.6], [0.5, 0.5]])
    weights.remember(torch.tensor([2, 2, 0]), learnt)
    expected = [[0.5, 0.5], [0.1, 0.9], [0.3, 0.7], [0.1, 0.9]]
    torch.testing.assert_close(weights.weights, torch.tensor(expected))
