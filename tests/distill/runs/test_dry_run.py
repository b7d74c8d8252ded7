"""A run before it begins: every stage takes its first steps, and nothing is written."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from small_runs import SSD_KD

from edgekd.distill.runs import pipeline
from edgekd.distill.runs.dry_run import dry_run
from edgekd.errors import InputError


def written(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def test_every_stage_takes_its_first_steps_and_nothing_is_written(recipe, tmp_path, monkeypatch):
    made = recipe(method=SSD_KD, finish={"epochs": 3}, augment={"margin": 1.25})
    pipeline.load_split(made)  # paints the images
    monkeypatch.setenv("EDGEKD_CACHE", str(tmp_path / "cache"))
    data = made.data | {"root": str(tmp_path / "data")}
    made = msgspec.structs.replace(made, data=data)
    pipeline.load_split(made)
    before = written(tmp_path)
    expected = dry_run(pipeline.RunRequest(made, tmp_path / "out"))
    assert written(tmp_path) == before
    facts = [(each.name, each.epochs, each.steps, each.batch_size) for each in expected.stages]
    assert facts == [
        ("teacher, supervised", 1, 2, 16),
        ("student, teacher_head", 2, 2, 16),
        ("student, student", 2, 2, 16),
        ("student, finish", 3, 2, 16),
    ]  # fmt: skip
    assert all(stage.step_s > 0 for stage in expected.stages)
    assert all(stage.expected_s >= 0 for stage in expected.stages)
    assert expected.decoded_bytes == 70 * 3 * (32**2 + 40**2)
    assert expected.memory_bytes > 50_000_000
    assert expected.precision == "fp32"
    lines = expected.text().splitlines()
    assert lines[0].startswith("teacher, supervised: 1 epochs of 2 steps of 16 images, ")
    assert lines[-1] == "nothing was written"


def test_one_role_alone(recipe, tmp_path):
    expected = dry_run(pipeline.RunRequest(recipe(), tmp_path / "out"), "student")
    assert [stage.name for stage in expected.stages] == ["student, supervised"]
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_trained_is_refused_as_by_the_run(recipe, tmp_path):
    wrong = recipe(method={"name": "skd"})
    with pytest.raises(InputError, match="needs subclass labels"):
        dry_run(pipeline.RunRequest(wrong, tmp_path))
