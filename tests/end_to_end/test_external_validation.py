"""Two bundles and their student on the test part of a run, and on its training part."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from edgekd.bench.subjects.labelled import data_of_run
from edgekd.cli import main
from edgekd.models.card import read_card

pytestmark = pytest.mark.slow


def table_of(run: Path, out: Path, part: str) -> Path:
    """A hospital's table of one part: labels in its own words, and the sex of each patient."""
    student = run / "student"
    data = data_of_run(student, read_card(student), part=part)
    assert data.groups is not None
    with out.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("Datei", "Befund", "Patient", "Geschlecht"))
        for number, ((path, label), group) in enumerate(zip(data.images, data.groups, strict=True)):
            writer.writerow((path, f"Befund {label}", group, "fm"[number % 2]))
    return out


def words_for(run: Path, table: Path) -> list[str]:
    classes = read_card(run / "student").classes
    renamed = (word for name in classes for word in ("--map", f"Befund {name}={name}"))
    columns = ["--image-column", "Datei", "--label-column", "Befund", "--group-column", "Patient"]
    return ["--csv", str(table), *columns, *renamed, "--by", "Geschlecht"]


def test_two_bundles_and_a_checkpoint(small_run: Path, bundles: Path, tmp_path: Path) -> None:
    table = table_of(small_run, tmp_path / "befund.csv", "test")
    models = [bundles / "rpi-int8", bundles / "cpu-onnx-fp32", small_run / "student"]
    out, page = tmp_path / "out.json", tmp_path / "out.html"
    files = ["--json", str(out), "--html", str(page), "--maps", "1"]
    words = words_for(small_run, table)
    assert main(["eval", *map(str, models), *words, "--prevalence", "mel=0.02", *files]) == 0
    validation = json.loads(out.read_text())["validation"]
    lowered, exact, student = validation["models"]
    assert [each["state"] for each in validation["leaks"]] == ["none"] * 3
    assert (lowered["decides"], exact["decides"], student["decides"]) == (True, True, False)
    (same,) = [
        each
        for each in validation["differences"]
        if (each["first"], each["second"]) == (exact["name"], student["name"])
    ]
    assert (same["flips"], same["agreement"]) == (0, 1.0)
    assert exact["confusion"]["answers"] == student["confusion"]["answers"]
    assert student["outcomes"]["mel"]["referred"]["count"] == 0
    assert "Of " in page.read_text()
    assert main(["report", str(out), "--html", str(tmp_path / "report.html")]) == 0


def test_the_training_part_is_refused(
    small_run: Path, bundles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = table_of(small_run, tmp_path / "befund.csv", "train")
    for model in (bundles / "rpi-int8", small_run / "student"):
        assert main(["eval", str(model), *words_for(small_run, table)]) == 2
        error = capsys.readouterr().err
        assert "images are not new to" in error
        assert "it was trained on" in error
