"""`meta_curriculum`: the generator's gradient, ordinary training in its limits, refusals."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import first_principles as paper
import pytest
import torch
import torch.nn.functional as F
from composed import ALL_OPTIONS, Step, check, view
from tiny_methods import COUNTS, batch, make_context, network, players_of, run_samples
from torch import Tensor, nn

from edgekd.distill.losses import class_weights
from edgekd.distill.methods import Batch, Method, resolve_method
from edgekd.distill.samples.run_samples import Share
from edgekd.distill.samples.sample_kinds import LoaderSetup
from edgekd.errors import InputError
from edgekd.models import NormalisedNetwork
from edgekd.recipe import FitSection

REACHES = pytest.mark.parametrize("step_of", ["last_layer", "network"])


class Linear(nn.Module):
    """Logits of three classes from images [B, 3, 2, 2]."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.last = nn.Linear(12, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.last(images.flatten(1))


def toy(**options: Any) -> Method:
    """A linear student of three classes in float64, whose generator has begun to change images."""
    kind, config = resolve_method(
        {"name": "meta_curriculum", "classes": "real", "latent": 3, "width": 4, **options}
    )
    fit = FitSection(class_weights="none")
    context = replace(make_context(fit), class_counts=(1, 1, 1), class_weights=torch.ones(3))
    method = kind(config, NormalisedNetwork(Linear(), (0.0,) * 3, (1.0,) * 3), None, context)
    torch.manual_seed(3)
    nn.init.normal_(method.generator.last.weight)
    return method.double()


def gaussian(seed: int) -> Batch:
    """Images around a mean of their class, all between 0 and 1."""
    drawn = torch.Generator().manual_seed(seed)
    labels = torch.arange(6) % 3
    noise = torch.randn(6, 3, 2, 2, generator=drawn, dtype=torch.float64)
    raw = 0.5 + 0.1 * (labels - 1)[:, None, None, None] + 0.02 * noise
    return Batch(raw, labels, torch.arange(6), generator=drawn)


def slope_of_generator(method: Method, real: Batch, sources: Batch) -> list[Tensor]:
    """∂CE(θ′; x)/∂φ."""
    sources.generator.manual_seed(9)
    proposed = method.proposed(sources, sources.targets)
    loss = method.lookahead(real, proposed, sources.targets)
    return list(torch.autograd.grad(loss, list(method.generator.parameters())))


def slope_by_formula(method: Method, real: Batch, sources: Batch) -> list[Tensor]:
    """∂/∂φ ⟨∇CE(G_φ), ∇CE(x)⟩, of gradients written out for a linear softmax."""
    weight, bias = method.student.network.last.weight, method.student.network.last.bias

    def gradient(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        rows = images.flatten(1)
        gap = (rows @ weight.T + bias).softmax(1) - F.one_hot(labels, 3)
        return gap.T @ rows / len(rows), gap.mean(0)

    sources.generator.manual_seed(9)
    made = gradient(method.proposed(sources, sources.targets), sources.targets)
    own = gradient(real.pixels, real.targets)
    product = sum((one * other.detach()).sum() for one, other in zip(made, own, strict=True))
    return list(torch.autograd.grad(product, list(method.generator.parameters())))


@REACHES
def test_its_gradient_is_the_product_of_both_in_first_order(step_of):
    real, sources = gaussian(0), gaussian(1)
    expected = slope_by_formula(toy(), real, sources)
    gaps = []
    for rate in (1e-2, 1e-4):
        slopes = slope_of_generator(toy(rate=rate, step_of=step_of), real, sources)
        pairs = zip(slopes, expected, strict=True)
        gaps.append(max(float((-one / rate - other).abs().max()) for one, other in pairs))
    largest = max(each.abs().max() for each in expected)
    assert largest > 1e-3
    assert gaps[1] < 1e-3 * largest
    assert gaps[0] == pytest.approx(100 * gaps[1], rel=0.05)  # what is left is of second order


@REACHES
def test_without_a_virtual_step_the_generator_has_no_gradient(step_of):
    for slope in slope_of_generator(toy(rate=0.0, step_of=step_of), gaussian(0), gaussian(1)):
        assert not slope.any()


def test_the_generator_helps_the_student():
    """Down its loss, a virtual step on what it proposes does more for the real images."""
    method, real, sources = toy(rate=0.5), gaussian(0), gaussian(1)
    (stage,) = method.stages()
    players = players_of(stage, 1.0)
    looks = []
    for _ in range(20):
        sources.generator.manual_seed(9)
        looks.append(
            method.lookahead(real, method.proposed(sources, sources.targets), sources.targets)
        )
        players.update("generator", looks[-1])
    assert looks[-1] < looks[0] - 1e-3


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_identity_trains_as_usual(smoothing):
    fit = FitSection(label_smoothing=smoothing)
    kind, config = resolve_method({"name": "meta_curriculum", "classes": "real", "weight": 0.3})
    method = kind(config, network(0, 4, 4, 8, 8), None, make_context(fit))
    usual, plain = resolve_method({"name": "none"})
    other = usual(plain, copy.deepcopy(method.student), None, make_context(fit))
    method.train()
    other.train()
    images = batch(size=8)
    proposed = method.proposed(images, images.targets)
    assert proposed.equal(images.pixels)
    loss = sum(method.student_terms(images, proposed, images.targets).values())
    expected = sum(other.stages()[0].objective(images).values())
    torch.testing.assert_close(loss, expected)
    pairs = zip(method.student.parameters(), other.student.parameters(), strict=True)
    for own, its in pairs:
        (slope,) = torch.autograd.grad(loss, own, retain_graph=True)
        (wanted,) = torch.autograd.grad(expected, its, retain_graph=True)
        torch.testing.assert_close(slope, wanted, atol=1e-5, rtol=1e-3)


@REACHES
def test_the_virtual_step_leaves_the_student_as_it_is(step_of):
    kind, config = resolve_method({"name": "meta_curriculum", "step_of": step_of})
    method = kind(config, network(0, 4, 4, 8, 8), None, make_context())
    method.train()
    before = copy.deepcopy(method.student.state_dict())
    images = batch(size=8)
    method.lookahead(images, method.proposed(images, images.targets), images.targets).backward()
    after = method.student.state_dict()
    assert all(after[name].equal(each) for name, each in before.items())
    method.step({"real": batch(), "sources": batch(seed=1)}, players_of(*method.stages()))
    moved = [
        name for name, each in before.items() if not method.student.state_dict()[name].equal(each)
    ]
    assert any("running_mean" in name for name in moved)
    assert {"network.conv1.0.weight", "network.fc.weight"} <= set(moved)


# What is proposed ------------------------------------------------------------------------------


def drawn_labels(classes: str, **fit: Any) -> tuple[Tensor, Tensor]:
    """Labels of the real images and of the sources of one epoch; 3 of 5 classes are rare."""
    kind, config = resolve_method({"name": "meta_curriculum", "classes": classes})
    section = FitSection(batch_size=50, **fit)
    method = kind(config, network(0, 4, 4, 8, 8), None, make_context(section))
    labels = torch.tensor([0] * 1000 + [1] * 500 + [2] * 200 + [3] * 100 + [4] * 100)
    samples = run_samples()
    split = replace(
        samples.split, parts=("train",) * len(labels),
        dataset=replace(samples.split.dataset, samples=tuple(
            replace(samples.split.dataset.samples[0], label="abcde"[label]) for label in labels
        )),
    )  # fmt: skip
    data = replace(
        samples, split=split, targets=labels.numpy(), images=samples.images[:1].repeat(1900, 0)
    )
    (stage,) = method.stages()
    loader = stage.samples.loader(LoaderSetup(data, section, 0, lambda: 0, Share()))
    rows = [(each["real"][1], each["sources"][1], each) for each in loader]
    assert not any(each["real"][2].equal(each["sources"][2]) for _, _, each in rows)
    return torch.cat([row[0] for row in rows]), torch.cat([row[1] for row in rows])


def shares(labels: Tensor) -> list[float]:
    return (torch.bincount(labels, minlength=5) / len(labels)).tolist()


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ("even", [0.2] * 5),
        ("rare", [0.036, 0.071, 0.179, 0.357, 0.357]),  # 1/n of 1000, 500, 200, 100, 100
        ("real", [10 / 19, 5 / 19, 2 / 19, 1 / 19, 1 / 19]),
    ],
)
def test_classes_are_proposed_as_often_as_the_option_says(classes, expected):
    real, sources = drawn_labels(classes, class_sampling="none")
    assert shares(real) == pytest.approx([10 / 19, 5 / 19, 2 / 19, 1 / 19, 1 / 19])
    assert shares(sources) == pytest.approx(expected, abs=0.035)


def adjusted(classes: str) -> Method:
    adjustment = torch.tensor(COUNTS).float().log()
    fit = FitSection(logit_adjustment=0.5, class_weights="none")
    context = replace(
        make_context(fit), adjustment=adjustment, class_weights=class_weights(COUNTS, "full")
    )
    kind, config = resolve_method({"name": "meta_curriculum", "classes": classes})
    return kind(config, network(0, 4, 4, 8, 8), None, context)


def test_the_loss_of_proposed_images_knows_how_often_they_are_proposed():
    real, even, rare = (adjusted(each) for each in ("real", "even", "rare"))
    assert real.proposed_weights.equal(real.class_weights)
    assert real.proposed_adjustment.equal(real.adjustment)
    for method in (even, rare):
        assert method.proposed_weights.equal(torch.ones(5))
    assert even.proposed_adjustment is None
    frequency = 1 / torch.tensor(COUNTS).float()
    prior = (frequency / frequency.sum()).log()
    torch.testing.assert_close(rare.proposed_adjustment, 0.5 * prior)


# Refusals --------------------------------------------------------------------------------------


def test_one_class_is_refused():
    kind, config = resolve_method({"name": "meta_curriculum"})
    context = replace(make_context(), class_counts=(0, 12, 0, 0, 0))
    with pytest.raises(InputError, match="all labelled training images are of one"):
        kind(config, network(0, 4, 4, 8, 8), None, context)


def test_a_batch_of_one_image_is_refused():
    kind, config = resolve_method({"name": "meta_curriculum"})
    context = make_context(FitSection(batch_size=1))
    with pytest.raises(InputError, match="a batch of 1 image is of one class") as caught:
        kind(config, network(0, 4, 4, 8, 8), None, context)
    assert "student.fit.batch_size" in caught.value.hint


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"weight": 0.0}, "weight"), ({"weight": 1.0}, "weight"), ({"rate": -0.1}, "rate"),
        ({"change": 0.0}, "change"), ({"change": 1.5}, "change"), ({"start": "teacher"}, "start"),
        ({"classes": "mel"}, "classes"), ({"step_of": "head"}, "step_of"), ({"width": 0}, "width"),
    ],
)  # fmt: skip
def test_options_without_sense_are_refused(options, word):
    with pytest.raises(InputError, match=word):
        resolve_method({"name": "meta_curriculum", **options})


def test_a_generator_that_learns_nothing_is_noted():
    kind, config = resolve_method({"name": "meta_curriculum", "rate": 0.0})
    method = kind(config, network(0, 4, 4, 8, 8), None, make_context())
    assert [note for note in method.notes() if "learns nothing" in note]
    kind, config = resolve_method({"name": "meta_curriculum"})
    assert not list(kind(config, network(0, 4, 4, 8, 8), None, make_context()).notes())


# The formulas ----------------------------------------------------------------------------------


def meta_terms(method: Any, step: Step, c: Any) -> dict[str, Tensor]:
    """The sources are augmented first, then the real images; in training mode."""
    student, labels = method.student, step.targets
    noise = torch.randn(len(labels), c.latent, generator=step.drawn)
    if c.start == "image":
        proposed = method.generator(view(step.pixels, 1), noise, labels)
        real, weights = view(step.pixels, 2), torch.ones(5)
    else:
        proposed = view(method.generator(noise, labels), 1)
        real, weights = view(step.pixels, 2), method.class_weights
    return {
        **both(step, student, real, proposed, weights, c),
        **ahead(step, student, real, proposed, weights, c),
    }


def both(step: Step, student: Any, real: Tensor, proposed: Tensor, weights: Tensor, c: Any) -> Any:
    outputs = paper.see(copy.deepcopy(student), torch.cat((real, proposed))).outputs
    own, others = outputs.chunk(2)
    hard = paper.cross_entropy(others, step.targets, weights, step.fit.label_smoothing)
    return {"ce": (1 - c.weight) * step.hard(own), "proposed": c.weight * hard}


def ahead(step: Step, student: Any, real: Tensor, proposed: Tensor, weights: Tensor, c: Any) -> Any:
    moved = copy.deepcopy(student)
    parameters = moved.parameters() if c.step_of == "network" else moved.network.fc.parameters()
    parameters = list(parameters)
    with torch.enable_grad():
        for parameter in parameters:
            parameter.requires_grad_()
        outputs = paper.see(moved, proposed).outputs
        loss = paper.cross_entropy(outputs, step.targets, weights, step.fit.label_smoothing)
        slopes = torch.autograd.grad(loss, parameters)
    with torch.no_grad():
        for parameter, slope in zip(parameters, slopes, strict=True):
            parameter -= c.rate * slope
        return {"lookahead": step.hard(paper.see(moved, real).outputs)}


REFERENCES = {"student": meta_terms}


@ALL_OPTIONS
@pytest.mark.parametrize("stage", REFERENCES)
def test_the_loss_is_that_of_the_formulas(stage, options):
    check("meta_curriculum", stage, REFERENCES[stage], options)
