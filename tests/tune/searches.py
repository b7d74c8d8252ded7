"""A search that is small enough for tests: a recipe of a few painted images, and its space."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lenient

from edgekd.recipe import Recipe, convert
from edgekd.tune.job import TuneJob, write_job
from edgekd.tune.outcome import TrialResult, TuneResult
from edgekd.tune.space import space_of

WIDTHS = "student.model.options.channels"
RATE = "student.fit.learning_rate"
SPACE: dict[str, Any] = {
    WIDTHS: {"width": [4, 4, 8, 8], "factors": [1.0, 2.0]},
    RATE: {"low": 1e-3, "high": 1e-2, "log": True},
    "method.weight": {"low": 0.2, "high": 0.8, "step": 0.1},
}


def network(*channels: int) -> dict[str, Any]:
    options = {"channels": list(channels), "stem_width": 4, "act_layer": "relu6"}
    return {"arch": "resnet10t", "options": options}


def raw_recipe(folder: Path, images: int = 70, **sections: Any) -> dict[str, Any]:
    fit = {"epochs": 2, "batch_size": 16, "learning_rate": 4e-3}
    return {
        "name": "tiny",
        "image_size": 32,
        "policy": str(lenient.POLICY),
        "data": {
            "source": "synthetic", "images": images, "size": 32, "seed": 1,
            "root": str(folder / "data"),
        },
        "split": {"validation": 0.25, "test": 0.2},
        "trainer": {"accelerator": "cpu", "precision": "fp32", "threads": 1},
        "teacher": {"model": network(4, 8, 8, 16), "fit": {**fit, "epochs": 1}},
        "student": {"model": network(4, 4, 8, 8), "fit": fit},
        "method": {"name": "kd", "weight": 0.5},
        **sections,
    }  # fmt: skip


def recipe_of(folder: Path, images: int = 70, **sections: Any) -> Recipe:
    return convert(raw_recipe(folder, images, **sections), Recipe, "the test's recipe")


def job_of(folder: Path, **fields: Any) -> TuneJob:
    """A search without a teacher, unless `recipe` gives one."""
    known = {"recipe": raw_recipe(folder, teacher=None, method={"name": "none"}),
             "space": {key: SPACE[key] for key in (WIDTHS, RATE)}, "trials": 3}  # fmt: skip
    return TuneJob(**{**known, **fields})


def started(folder: Path, **fields: Any) -> TuneJob:
    """A search whose description is in the folder."""
    job = job_of(folder, **fields)
    space_of(job.space, job.typed_recipe, "the test's space")
    folder.mkdir(parents=True, exist_ok=True)
    write_job(folder, job)
    return job


def trial(number: int, quality: float | None, cost: float | None, **fields: Any) -> TrialResult:
    known: dict[str, Any] = {"state": "complete", "default": number == 0, "values": {RATE: 1e-3}}
    return TrialResult(number=number, quality=quality, cost=cost, **{**known, **fields})


def result_with(*trials: TrialResult, front: list[int], **fields: Any) -> TuneResult:
    known: dict[str, Any] = {
        "name": "tiny", "metric": "balanced_accuracy", "cost": "macs", "lowered": None,
        "device": None,
    }  # fmt: skip
    return TuneResult(trials=list(trials), front=front, **{**known, **fields})
