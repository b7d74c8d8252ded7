"""Runs on a few painted images, in this process."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from safetensors.torch import load_file
from torch import Tensor

from edgekd.distill.runs import pipeline
from edgekd.distill.training.module import StageModule
from edgekd.recipe import Recipe

Make = Callable[..., Recipe]


SSD_KD = {
    "name": "ssd_kd",
    "teacher_head": {"epochs": 2, "batch_size": 16, "optimizer": "adamw", "schedule": "one_cycle"},
}


def run(recipe: Recipe, out: Path, *, force: bool = False) -> list[str]:
    """Distils; the lines that it says."""
    lines: list[str] = []
    pipeline.distill(pipeline.RunRequest(recipe, out, lines.append, force=force))
    return lines


def weights(out: Path) -> dict[str, Tensor]:
    return load_file(out / "student" / "model.safetensors")


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(a[key].equal(b[key]) for key in a)


def record_stages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    trained: list[str] = []
    begin = StageModule.on_train_start

    def noted(self: StageModule) -> None:
        trained.append(self.stage.name)
        begin(self)

    monkeypatch.setattr(StageModule, "on_train_start", noted)
    return trained


def train_once(recipe: Make, out: Path, **changed: Any) -> None:
    """The teacher's network alone, with another network or another `fit`."""
    model = msgspec.to_builtins(recipe().student.model)
    model["options"] |= changed.pop("options", {})
    section = {"model": model, "fit": {"epochs": 1, **changed}}
    pipeline.train(pipeline.RunRequest(recipe(teacher=section), out))


def history(folder: Path) -> list[dict[str, str]]:
    """The rows of `history.csv` without how long the training waited, which no two runs share."""
    with (folder / "history.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        assert 0.0 <= float(row.pop("waiting")) <= 1.0
    return rows


def leftovers(out: Path) -> set[str]:
    """Files of a run besides those that it promises: pickles above all."""
    suffixes = {".json", ".csv", ".safetensors"}
    return {file.name for file in out.rglob("*") if file.is_file() and file.suffix not in suffixes}
