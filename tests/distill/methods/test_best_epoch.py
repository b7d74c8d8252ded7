"""What a stage leaves behind is its best epoch's weights, not its last one's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from torch import Tensor

from edgekd.distill import pipeline
from edgekd.distill.methods.none import Supervised
from edgekd.distill.module import StageModule, trained_state
from edgekd.recipe import Recipe, convert
from edgekd.tasks.classification.metrics import Metrics

EPOCHS = 4
TINY = {"arch": "resnet10t", "options": {"channels": [4, 4, 8, 8], "stem_width": 4}}


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    monkeypatch.setenv("EDGEKD_CACHE", str(tmp_path / "cache"))
    raw = {
        "name": "tiny",
        "image_size": 32,
        "data": {"source": "synthetic", "images": 70, "size": 32, "seed": 1},
        "split": {"validation": 0.25, "test": 0.2},
        "trainer": {"accelerator": "cpu", "precision": "fp32", "threads": 1},
        "student": {"model": TINY, "fit": {"epochs": EPOCHS, "batch_size": 16}},
        "method": {"name": "none"},
    }
    return convert(raw, Recipe, "the test's recipe")


@pytest.fixture
def epochs(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Tensor]]:
    """The student's weights after each epoch."""
    seen: list[dict[str, Tensor]] = []
    end = StageModule.on_validation_epoch_end

    def noted(self: StageModule) -> None:
        end(self)
        student = self.method.student
        seen.append({k: t.clone() for k, t in trained_state(student, (student,)).items()})

    monkeypatch.setattr(StageModule, "on_validation_epoch_end", noted)
    return seen


def test_the_highest_score_is_kept(
    recipe: Recipe, epochs: list[dict[str, Tensor]], tmp_path: Path, monkeypatch: Any
) -> None:
    scores = iter([0.3, 0.9, 0.5, 0.8])
    monkeypatch.setattr(Metrics, "selection", lambda *_: next(scores))
    assert_kept(recipe, epochs, tmp_path, best=1)


def test_the_lowest_objective_is_kept(
    recipe: Recipe, epochs: list[dict[str, Tensor]], tmp_path: Path, monkeypatch: Any
) -> None:
    losses = iter([0.7, 0.9, 0.2, 0.8])
    monkeypatch.setattr(StageModule, "_mean_loss", lambda _: next(losses))
    stages = Supervised.stages

    def judged(self: Supervised) -> Any:
        (stage,) = stages(self)
        return (replace(stage, criterion=stage.objective),)

    monkeypatch.setattr(Supervised, "stages", judged)
    assert_kept(recipe, epochs, tmp_path, best=2)


def assert_kept(recipe: Recipe, epochs: list[dict[str, Tensor]], tmp_path: Path, best: int) -> None:
    pipeline.distill(pipeline.RunRequest(recipe, tmp_path / "run", lambda line: None))
    kept = load_file(tmp_path / "run" / "student" / "model.safetensors")
    assert len(epochs) == EPOCHS
    same = [
        all(any(tensor.equal(other) for other in kept.values()) for tensor in epoch.values())
        for epoch in epochs
    ]
    assert same == [epoch == best for epoch in range(EPOCHS)]
