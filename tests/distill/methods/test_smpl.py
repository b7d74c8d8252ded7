"""Self meta pseudo labels: the golden's steps, the sign of the feedback, and a whole run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import first_principles as paper
import msgspec
import pytest
import torch
from composed import ALL_OPTIONS, SIZE, Step, check, view
from small_runs import history
from tiny_methods import make_context, players_of
from torch import Tensor, nn

from edgekd.data.augment import Augmentation
from edgekd.distill.methods import Batch, Method, UnlabelledBatch, resolve_method
from edgekd.distill.runs import pipeline
from edgekd.models import NormalisedNetwork
from edgekd.recipe import AugmentSection, FitSection, convert

STILL = {"flip": False, "quarter_turns": False, "colour": 0.0}


class Linear(nn.Module):
    """Logits of three classes from images [B, 3, 1, 2]."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.cat((weight, torch.zeros(3, 1).to(weight)), dim=1))

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1) @ self.weight.T


def images_of(rows: Tensor) -> Tensor:
    return torch.cat((rows, torch.zeros(len(rows), 1).to(rows)), dim=1).reshape(-1, 3, 1, 2)


class GoldenViews:
    """The golden's two views of the same images."""

    def __init__(self, weak: Tensor, strong: Tensor) -> None:
        self.views = iter((images_of(weak), images_of(strong)))

    def view(self, _: AugmentSection) -> Tensor:
        return next(self.views)


def linear_method(weight: Tensor, **options: Any) -> Method:
    kind, config = resolve_method({"name": "smpl", **options})
    student = NormalisedNetwork(Linear(weight), (0.0,) * 3, (1.0,) * 3)
    context = make_context(FitSection(class_weights="none"))
    context = replace(context, class_counts=(1, 1, 1), class_weights=torch.ones(3))
    return kind(config, student.to(weight.dtype), None, context)


def step_of(weight: Tensor, labelled: tuple[Tensor, Tensor], views: Any, rate: float) -> Any:
    made = linear_method(weight, feedback=1.0, consistency=0.0)
    (stage,) = made.stages()
    batch = Batch(images_of(labelled[0]), labelled[1], torch.arange(len(labelled[1])))
    return made, stage.step({"labelled": batch, "unlabelled": views}, players_of(stage, rate))


def test_the_golden(golden, agree):
    g = golden("spec_smpl")
    views = GoldenViews(g["x_weak"], g["x_strong"])
    labelled = (g["x_labeled"], g["y_labeled"])
    made, terms = step_of(g["W"], labelled, views, float(g["lr"]))
    agree(terms["pseudo"], g["mpl_ce_on_strong"])
    agree(terms["gain"], g["h_old_minus_new"])
    agree(terms["ce"], g["loss_labeled_new"])
    after = g["W_after_pseudo_step"].clone().requires_grad_()
    again = torch.nn.functional.cross_entropy(g["x_strong"] @ after.T, g["hard_pseudo"])
    agree(terms["feedback"], (g["h_old_minus_new"] * again).detach())
    hard = torch.nn.functional.cross_entropy(g["x_labeled"] @ after.T, g["y_labeled"])
    (slope,) = torch.autograd.grad(hard + g["h_old_minus_new"] * again, after)
    agree(made.student.network.weight[:, :5], after.detach() - g["lr"] * slope)


def test_the_feedback_is_of_first_order_in_the_rate():
    drawn = torch.Generator().manual_seed(0)
    weight = torch.randn(3, 5, generator=drawn, dtype=torch.float64)
    rows = [torch.randn(n, 5, generator=drawn, dtype=torch.float64) for n in (4, 6, 6)]
    labels = torch.tensor([1, 0, 1, 2])
    w = weight.clone().requires_grad_()
    pseudo = torch.nn.functional.cross_entropy(rows[2] @ w.T, (rows[1] @ w.T).argmax(1))
    hard = torch.nn.functional.cross_entropy(rows[0] @ w.T, labels)
    slopes = [torch.autograd.grad(loss, w)[0] for loss in (pseudo, hard)]
    for rate in (1e-3, 1e-5):
        _, terms = step_of(weight, (rows[0], labels), GoldenViews(rows[1], rows[2]), rate)
        expected = rate * (slopes[0] * slopes[1]).sum()
        assert float(terms["gain"]) == pytest.approx(float(expected), rel=20 * rate + 1e-4)


def test_true_labels_of_the_labelled_images_themselves_help():
    drawn = torch.Generator().manual_seed(3)
    weight = 0.1 * torch.randn(3, 5, generator=drawn, dtype=torch.float64)
    rows = torch.randn(9, 5, generator=drawn, dtype=torch.float64)
    labels = (rows @ weight.T).argmax(1)  # the network's own labels are the true ones
    _, terms = step_of(weight, (rows, labels), GoldenViews(rows, rows), 0.1)
    assert terms["gain"] > 0


def test_an_unlabelled_view_has_the_size_of_the_epoch():
    raw = torch.rand(3, 3, 40, 40)
    small = UnlabelledBatch(raw, torch.arange(3), training_side=32)
    assert small.view(AugmentSection(**STILL)).shape == (3, 3, 32, 32)
    assert UnlabelledBatch(raw, torch.arange(3)).view(AugmentSection()).shape == raw.shape


def smpl_run(recipe: Any, **sections: Any) -> Any:
    """A third of the 70 painted images' labels is read, the others' images are there alone."""
    data = {"source": "synthetic", "images": 70, "size": 32, "seed": 1}
    fit = {"epochs": 3, "batch_size": 4, "learning_rate": 1e-3}
    base = recipe()
    student = {"model": msgspec.to_builtins(base.student.model), "fit": fit}
    return recipe(
        data={**data, "unlabelled": {"left_out": True}},
        split={"validation": 0.25, "test": 0.2, "train_share": 0.3},
        method={"name": "smpl", "ratio": 2}, teacher=None, student=student, **sections,
    )  # fmt: skip


def test_a_run_learns_from_the_images_that_are_left_out(recipe, tmp_path):
    lines: list[str] = []
    request = pipeline.RunRequest(smpl_run(recipe), tmp_path, say=lines.append)
    pipeline.distill(request)
    rows = history(tmp_path / "student")
    assert len(rows) == 3
    assert {"ce", "feedback", "consistency", "pseudo", "gain"} <= rows[0].keys()
    again: list[str] = []
    pipeline.distill(pipeline.RunRequest(smpl_run(recipe), tmp_path, say=again.append))
    assert any("reused" in line for line in again)


def smpl_terms(method: Any, step: Step, c: Any) -> dict[str, Tensor]:
    """Two steps of plain SGD, of rate 0.05 as `players_of` has it."""
    student, labels = method.student, step.targets
    pixels = (255 - step.images).permute(0, 3, 1, 2) / 255
    strong = convert(c.strong, AugmentSection, "strong")
    weak = convert(getattr(c, "weak", {}), AugmentSection, "weak")
    views = [Augmentation(each, SIZE)(pixels, step.drawn) for each in (weak, strong)]
    images = torch.cat((view(step.pixels, 1), *views))

    def logits() -> tuple[Tensor, ...]:
        return paper.see(student, images).outputs.split(len(labels))

    def pseudo(outputs: Tensor) -> Tensor:
        return paper.cross_entropy(outputs, classes, torch.ones(5), step.fit.label_smoothing)

    with torch.enable_grad():
        own, seen, learnt = logits()
        classes, before = seen.argmax(1), step.hard(own)
        first = pseudo(learnt)
        parameters = list(student.parameters())
        slopes = torch.autograd.grad(first, parameters)
    for parameter, slope in zip(parameters, slopes, strict=True):
        parameter -= 0.05 * slope
    own, _, learnt = logits()
    after, aim = step.hard(own), (seen / c.temperature).softmax(1)
    sure = aim.amax(1) >= c.threshold
    rows = -(aim * paper.log_probabilities(learnt)).sum(1)
    rise = min(1.0, (step.epoch + 1) / (c.ramp * 10))
    return {
        "ce": after, "gain": before - after, "pseudo": first,
        "feedback": c.feedback * (before - after) * pseudo(learnt),
        "consistency": rise * c.consistency * (rows * sure).mean(),
    }  # fmt: skip


REFERENCES = {"student": smpl_terms}


@ALL_OPTIONS
@pytest.mark.parametrize("stage", REFERENCES)
def test_the_loss_is_that_of_the_formulas(stage, options):
    check("smpl", stage, REFERENCES[stage], options)
