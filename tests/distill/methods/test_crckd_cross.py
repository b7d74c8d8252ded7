"""CRCKD's terms between a teacher and a smaller student."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import first_principles as paper
import pytest
import torch
from composed import ALL_OPTIONS, Step, category, check
from tiny_methods import batch, method
from torch import Tensor

from edgekd.distill.losses import softened_kl
from edgekd.distill.methods import Method
from edgekd.models import load_checkpoint
from edgekd.models.features import features_of
from edgekd.recipe import FitSection

FIT = FitSection(epochs=80)


SMALL = {"positives": 3, "negatives": 16, "embedding": 8}


def made(name: str, **options: Any) -> Method:
    if name != "mean_teacher":
        options["category"] = SMALL | options.get("category", {})
    return method(name, fit=FIT, **options)


def terms(method: Method, epoch: int = 0) -> dict[str, Tensor]:
    with torch.no_grad():
        found: dict[str, Tensor] = method.stages()[0].objective(batch(epoch))
    return found


def test_each_term_of_the_cross_can_be_switched_off():
    assert "consistency" not in terms(made("crckd_cross", consistency=0))
    assert "relation" not in terms(made("crckd_cross", category={"relation": 0}))


def test_the_cross_holds_the_student_against_the_frozen_teacher():
    method = made("crckd_cross", category={"positives": 1})
    with torch.no_grad():
        student, teacher = (
            features_of(n, batch().pixels) for n in (method.student, method.required_teacher)
        )
        found = method.terms(student, teacher, batch())
    wanted = softened_kl(student.logits, teacher.logits, 1.0)
    torch.testing.assert_close(found["consistency"], wanted)
    assert student.pooled.shape[1] != teacher.pooled.shape[1]


@pytest.mark.slow
def test_a_run_of_two_processes(tmp_path):
    """Through the command and Lightning, the teacher and then the student."""
    recipe = tmp_path / "pair.yaml"
    recipe.write_text(PAIR)
    command = [sys.executable, "-m", "edgekd", "distill", str(recipe), "--out", str(tmp_path)]
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    told = done.stderr.splitlines()
    assert sum("epoch" in line for line in told) == 2 * 2  # one of them speaks
    assert sum(line.startswith("wrote") for line in told) == 1, done.stderr
    assert load_checkpoint(tmp_path / "student").card.training.method == "crckd_cross"


PAIR = """
name: pair
image_size: 32
data: {source: synthetic, images: 70, size: 32, seed: 1}
split: {validation: 0.25, test: 0.2}
trainer: {accelerator: cpu, devices: 2, precision: fp32, threads: 1}
teacher: &network
  model: {arch: resnet10t, options: {channels: [4, 4, 8, 8], stem_width: 4, act_layer: relu6}}
  fit: {epochs: 2, batch_size: 8, learning_rate: 1.0e-3}
student: *network
method: {name: crckd_cross}
"""


def cross_terms(method: Any, step: Step, c: Any) -> dict[str, Tensor]:
    own, guide = step.see(method.student), step.see(method.teacher)
    return {
        "ce": c.ce * step.hard(own.outputs),
        "consistency": c.consistency * paper.kl(own.outputs, guide.outputs, 1.0),
        **category(method, step, c, own.pooled, guide.pooled),
    }


REFERENCES = {"student": cross_terms}


@ALL_OPTIONS
@pytest.mark.parametrize("stage", REFERENCES)
def test_the_loss_is_that_of_the_formulas(stage, options):
    check("crckd_cross", stage, REFERENCES[stage], options)
