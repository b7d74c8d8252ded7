"""Self-supervised start: its three stages against their formulas, and a whole run."""

from __future__ import annotations

from typing import Any

import first_principles as paper
import msgspec
import pytest
import torch
from composed import ALL_OPTIONS, SIZE, SMALLER, Step, check, view
from small_runs import history
from tiny_methods import batch, method, sample
from torch import Tensor

from edgekd.data.augment import Augmentation
from edgekd.distill.losses import softened_kl
from edgekd.distill.runs import pipeline
from edgekd.recipe import AugmentSection, convert


def test_full_weight_is_pure_distillation_on_all_images() -> None:
    made = method("ssl_kd", temperature=2.0)
    stage = made.stages()[-1]
    images = sample(stage.samples)
    with torch.no_grad():
        pixels = torch.cat((images["labelled"].pixels, images["unlabelled"].pixels))
        expected = softened_kl(made.student(pixels), made.labeller(pixels), 2.0)
        found = stage.objective(images)
    assert found.keys() == {"kd"}
    torch.testing.assert_close(found["kd"], expected)


def test_a_student_like_its_labeller_has_nothing_to_learn() -> None:
    made = method("ssl_kd")
    made.student.load_state_dict(made.labeller.state_dict())
    stage = made.stages()[-1]
    found = stage.objective(sample(stage.samples))["kd"]
    assert float(found.detach()) == pytest.approx(0, abs=1e-6)


def test_the_labeller_may_be_another_network() -> None:
    like, other = method("ssl_kd"), method("ssl_kd", network=SMALLER)
    widths = [made.labeller.network.fc.in_features for made in (like, other)]
    assert widths == [8, 8]
    maps = [made.labeller.network.layer2[0].conv1.out_channels for made in (like, other)]
    assert maps[0] != maps[1]
    assert "two views of each image" in list(other.notes())[-1]
    again = method("ssl_kd", network=SMALLER, weight=0.5)
    assert other.stages()[0].depends_on == again.stages()[0].depends_on
    assert like.stages()[0].depends_on is None


@pytest.mark.parametrize("images", [1, 2, 5])
def test_a_validation_part_may_leave_a_single_image_for_its_last_batch(images: int) -> None:
    contrast = method("ssl_kd").stages()[0]
    assert contrast.criterion is not None
    loss = contrast.criterion(batch(size=images))["contrast"].detach()
    assert (float(loss) == 0.0) == (images == 1)
    assert loss.isfinite()


def test_a_run_has_three_stages_and_reuses_the_first_two(recipe: Any, tmp_path: Any) -> None:
    data = {"source": "synthetic", "images": 70, "size": 32, "seed": 1}
    base = recipe()
    fit = {"epochs": 2, "batch_size": 4, "learning_rate": 1e-3}
    network = msgspec.to_builtins(base.student.model)
    lines: list[str] = []
    for weight in (1.0, 0.5):
        few = recipe(
            data={**data, "unlabelled": {"left_out": True}},
            split={"validation": 0.25, "test": 0.2, "train_share": 0.3},
            method={"name": "ssl_kd", "ratio": 2, "network": network, "weight": weight},
            teacher=None, student={"model": network, "fit": fit},
        )  # fmt: skip
        pipeline.distill(pipeline.RunRequest(few, tmp_path, say=lines.append, force=True))
    for stage in ("contrast", "finetune"):
        assert sum(stage in line and "reused" in line for line in lines) == 1
    assert len(history(tmp_path / "student")) == 2


def view_terms(method: Any, step: Step, c: Any) -> dict[str, Tensor]:
    section = convert(c.contrast_augment, AugmentSection, "views")
    unlabelled = (255 - step.images).permute(0, 3, 1, 2) / 255
    raw = torch.cat((step.pixels, unlabelled))
    views = [Augmentation(section, SIZE)(raw, step.drawn) for _ in range(2)]
    first, _, second = method.head
    pooled = paper.see(method.labeller, torch.cat(views)).pooled
    hidden = (pooled @ first.weight.double().T + first.bias.double()).clamp(min=0.0)
    embedded = hidden @ second.weight.double().T + second.bias.double()
    unit = embedded / embedded.norm(dim=1, keepdim=True)
    near = unit @ unit.T / c.contrast_temperature
    count = len(raw)
    rows = []
    for i in range(2 * count):
        others = torch.cat((near[i, :i], near[i, i + 1 :]))
        rows.append(others.exp().sum().log() - near[i, (i + count) % (2 * count)])
    return {"contrast": torch.stack(rows).mean()}


def label_terms(method: Any, step: Step, c: Any) -> dict[str, Tensor]:
    return {"ce": step.hard(step.see(method.labeller).outputs)}


def student_terms(method: Any, step: Step, c: Any) -> dict[str, Tensor]:
    unlabelled = (255 - step.images).permute(0, 3, 1, 2) / 255
    images = torch.cat((view(step.pixels, 1), view(unlabelled, 2)))
    own, aim = paper.see(method.student, images), paper.see(method.labeller, images)
    terms = {"kd": c.weight * paper.kl(own.outputs, aim.outputs, c.temperature)}
    if c.weight < 1.0:
        terms["ce"] = (1 - c.weight) * step.hard(own.outputs[: len(step.targets)])
    return terms


REFERENCES = {"contrast": view_terms, "finetune": label_terms, "student": student_terms}


@ALL_OPTIONS
@pytest.mark.parametrize("stage", REFERENCES)
def test_the_loss_is_that_of_the_formulas(stage, options):
    check("ssl_kd", stage, REFERENCES[stage], options)
