"""Tables of real images through one command: other names, a planted gap, a planted leak."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shared_data import shared_data
from tiny_bundles import write_tiny_bundle

from edgekd.bundle.seen_images import SEEN_IMAGES, SeenImages
from edgekd.cli import main
from edgekd.data.image_hashes import image_hashes
from edgekd.runtime import Classifier
from edgekd.tasks.classification.manifest import Decision

WORDS = {
    "akiec": "Bowen", "bcc": "Basaliom", "bkl": "Keratose", "df": "Dermatofibrom",
    "mel": "Melanom", "nv": "Naevus", "vasc": "Gefäß",
}  # fmt: skip
IMAGES = 240


def bundle_of(out: Path, classes: Sequence[str], **options: Any) -> Path:
    """Any network that answers photos of different colours differently, and answers them all."""
    matrix = np.random.default_rng(1).normal(size=(3, len(classes))) / 8
    return write_tiny_bundle(
        out, weights=matrix - matrix.mean(axis=0), classes=tuple(classes), decision=Decision(),
        capture=None, **options,
    )  # fmt: skip


@pytest.fixture(scope="module")
def ham() -> tuple[Path, list[dict[str, str]]]:
    """Some rows of HAM10000 whose patient's sex is known, spread over the table."""
    folder = shared_data("ham10000")
    with (folder / "HAM10000_metadata.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    known = [row for row in rows if row["sex"] in ("female", "male")]
    return folder, known[:: len(known) // IMAGES][:IMAGES]


def table(out: Path, folder: Path, rows: list[dict[str, str]], labels: list[str]) -> list[str]:
    """A hospital's table with its own names of columns and classes, and the words to read it."""
    with out.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, delimiter=";")
        writer.writerow(("Bild", "Befund", "Läsion", "Geschlecht", "Alter", "Ort"))
        for row, label in zip(rows, labels, strict=True):
            image = folder / "images" / f"{row['image_id']}.jpg"
            cells = (row["lesion_id"], row["sex"], row["age"], row["localization"])
            writer.writerow((image, WORDS[label], *cells))
    columns = ["--image-column", "Bild", "--label-column", "Befund", "--group-column", "Läsion"]
    maps = [word for name, text in WORDS.items() for word in ("--map", f"{text}={name}")]
    return ["--csv", str(out), *columns, *maps, "--by", "Ort,Geschlecht,Alter:40:60"]


def test_ham10000_under_other_names(ham: tuple[Path, list[dict[str, str]]], tmp_path: Path) -> None:
    folder, rows = ham
    bundle = bundle_of(tmp_path / "bundle", tuple(WORDS))
    words = table(tmp_path / "befund.csv", folder, rows, [row["dx"] for row in rows])
    out, page = tmp_path / "out.json", tmp_path / "out.html"
    files = ["--json", str(out), "--html", str(page), "--maps", "0"]
    assert main(["eval", str(bundle), *words, *files]) == 0
    result = json.loads(out.read_text())
    assert result["data"]["n"] == len(rows)
    assert result["data"]["groups"] == len({row["lesion_id"] for row in rows})
    renamed = result["validation"]["labels"]["renamed"]
    assert renamed["Melanom"]["images"] == sum(row["dx"] == "mel" for row in rows)
    names = [each["name"] for each in result["validation"]["models"][0]["attributes"]]
    assert names == ["Ort", "Geschlecht", "Alter"]
    assert "What is missed and what is referred" in page.read_text()


def test_degraded_labels_of_one_sex_are_named_first(
    ham: tuple[Path, list[dict[str, str]]], tmp_path: Path
) -> None:
    """Labels are the bundle's own answers; of women, two of three are changed."""
    folder, rows = ham
    bundle = bundle_of(tmp_path / "bundle", tuple(WORDS))
    names, labels = list(WORDS), []
    with Classifier.open(bundle) as classifier:
        for number, row in enumerate(rows):
            path = folder / "images" / f"{row['image_id']}.jpg"
            scores = classifier.predict(path).probabilities
            answer = max(scores, key=lambda name: scores[name])
            degraded = row["sex"] == "female" and number % 3 > 0
            labels.append(names[(names.index(answer) + 1) % 7] if degraded else answer)
    words, out = table(tmp_path / "befund.csv", folder, rows, labels), tmp_path / "out.json"
    assert main(["eval", str(bundle), *words, "--json", str(out)]) == 0
    first = json.loads(out.read_text())["validation"]["models"][0]["gaps"][0]
    assert (first["attribute"], first["measure"]) == ("Geschlecht", "sensitivity")
    assert (first["lower"], first["higher"]) == ("female", "male")
    assert first["difference"]["low"] > 0


def test_fifty_images_of_training_are_found(
    ham: tuple[Path, list[dict[str, str]]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, rows = ham
    paths = [folder / "images" / f"{row['image_id']}.jpg" for row in rows[::4][:50]]
    listed = SeenImages.of({"train": image_hashes(paths)}, "split")
    files = {SEEN_IMAGES: listed.encode()}
    bundle = bundle_of(tmp_path / "bundle", tuple(WORDS), files=files)
    words = table(tmp_path / "befund.csv", folder, rows, [row["dx"] for row in rows])
    assert main(["eval", str(bundle), *words]) == 2
    error = capsys.readouterr().err
    assert f"50 of {len(rows)} images are not new to" in error
    assert "trained on 50 of them" in error


def test_grades_of_idrid(tmp_path: Path) -> None:
    folder = shared_data("idrid_512")
    with (folder / "labels.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))[::7]
    with (tmp_path / "grades.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("photo", "grade", "edema"))
        writer.writerows((row["image"], f"R{row['dr_grade']}", row["dme_risk"]) for row in rows)
    grades = ("none", "mild", "moderate", "severe", "proliferative")
    bundle = bundle_of(tmp_path / "bundle", grades)
    maps = [word for n, name in enumerate(grades) for word in ("--map", f"R{n}={name}")]
    columns = ["--image-column", "photo", "--label-column", "grade", "--image-root", str(folder)]
    out = tmp_path / "out.json"
    words = ["--csv", str(tmp_path / "grades.csv"), *columns, *maps, "--by", "edema"]
    assert main(["eval", str(bundle), *words, "--json", str(out), "--policy", "fundus"]) == 0
    result = json.loads(out.read_text())
    (model,) = result["validation"]["models"]
    assert sum(outcome["images"] for outcome in model["outcomes"].values()) == len(rows)
    assert [each["name"] for each in model["attributes"][0]["subgroups"]] == ["0", "1", "2"]
