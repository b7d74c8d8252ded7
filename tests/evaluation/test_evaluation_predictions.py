"""The table of predictions."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from scripted import CLASSES, answered, data_of, validation_of

from edgekd.evaluation.predictions import write_predictions

LABELS = ["mel", "nv", "nv"]


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def data():
    return data_of(LABELS, sex=["f", "m", ""])


def test_one_model(data, tmp_path: Path) -> None:
    model = answered(data, ["mel", "mel", "nv"], ["answer", "refer", "retake"])
    write_predictions(tmp_path / "out.csv", validation_of(data, model))
    first, second, third = lines(tmp_path / "out.csv")
    assert list(first) == [
        "image", "label", "prediction", *CLASSES, "decision", "reasons", "set", "by_sex",
    ]  # fmt: skip
    assert sum(float(first[name]) for name in CLASSES) == pytest.approx(1, abs=1e-5)
    told = [(row["prediction"], row["decision"], row["reasons"]) for row in (first, second, third)]
    assert told == [("mel", "answer", ""), ("mel", "refer", "unsure"), ("nv", "retake", "blurred")]
    assert [row["by_sex"] for row in (first, second, third)] == ["f", "m", "not known"]
    assert first["image"].endswith("0000.jpg")


def test_several_models_have_a_column(data, tmp_path: Path) -> None:
    models = [
        answered(data, LABELS, ["answer"] * 3, name="rpi"),
        answered(data, LABELS, name="student"),
    ]
    write_predictions(tmp_path / "out.csv", validation_of(data, *models))
    rows = lines(tmp_path / "out.csv")
    assert next(iter(rows[0])) == "model"
    assert [row["model"] for row in rows] == ["rpi"] * 3 + ["student"] * 3


def test_findings_and_sets(tmp_path: Path) -> None:
    data = data_of(["mel;nv", "none"], task="multilabel")
    model = answered(data, ["mel", "nv"], ["answer"] * 2)
    write_predictions(tmp_path / "out.csv", validation_of(data, model))
    assert [row["label"] for row in lines(tmp_path / "out.csv")] == ["mel;nv", "none"]


def test_a_task_without_classes_has_outputs(data, tmp_path: Path) -> None:
    from dataclasses import replace

    validation = validation_of(data, answered(data, LABELS))
    bare = replace(validation, answers=())
    write_predictions(tmp_path / "out.csv", bare)
    first, *_ = lines(tmp_path / "out.csv")
    assert list(first) == ["image", "label", "output_0", "output_1", "output_2"]
    expected = np.ravel(validation.evaluation.answers[0].calibrated[0])
    assert [float(first[f"output_{n}"]) for n in range(3)] == pytest.approx(expected, abs=1e-5)
