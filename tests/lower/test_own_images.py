"""Labelled images of the user's own, on which a trained student's files are judged."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import lenient
import msgspec
import pytest
from cards import make_card

from edgekd.bundle import Bundle
from edgekd.cli import main
from edgekd.errors import InputError
from edgekd.lower.own_images import OwnImages, names_trained_on, own_data_card, split_of
from edgekd.models import ModelCard

CLASSES = ("nv", "mel", "bkl")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Eighty images of forty lesions, of two of three classes."""
    (tmp_path / "photos").mkdir()
    lines = ["photo,dx,lesion\n"]
    for number in range(80):
        name = f"photos/a{number:02d}.png"
        (tmp_path / name).write_bytes(b"")  # a split decodes nothing
        lines.append(f"{name},{CLASSES[number % 2]},{number // 2}\n")
    file = tmp_path / "mine.csv"
    file.write_text("".join(lines))
    return file


def card(**changes: Any) -> ModelCard:
    return msgspec.structs.replace(make_card(), classes=CLASSES, **changes)


def own(table: Path) -> OwnImages:
    return OwnImages(str(table), "photo", ("dx",), "lesion")


def test_a_quarter_calibrates_and_the_rest_judges(table: Path) -> None:
    split = split_of(own(table), card())
    counts = split.counts()
    assert counts["test"] == 0
    assert counts["train"] + counts["validation"] == 80
    assert 16 <= counts["train"] <= 24
    assert split.dataset.classes == CLASSES  # the student's, in its order, also the absent one
    parts: dict[str, set[str]] = {}
    for sample, part in zip(split.dataset.samples, split.parts, strict=True):
        parts.setdefault(sample.group, set()).add(part)
    assert len(parts) == 40
    assert all(len(each) == 1 for each in parts.values())
    described = own_data_card(split)
    assert (described.name, described.root, described.images) == ("mine", "", counts)


def test_a_label_that_the_student_does_not_know_is_refused(table: Path) -> None:
    table.write_text(table.read_text().replace(",mel,", ",naevus,"))
    with pytest.raises(InputError, match="naevus"):
        split_of(own(table), card())


def test_a_recipe_says_where_images_and_parts_are(table: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    text = (
        f"name: mine\nimage_size: 32\nsplit: {{validation: 0.5, test: 0.25}}\n"
        f"data: {{source: csv, file: {table}, image_column: photo, label_column: dx, "
        "group_column: lesion, classes: [{classes}]}\n"
    )
    recipe.write_text(text.replace("{classes}", "bkl, mel, nv"))
    split = split_of(OwnImages(str(recipe)), card())
    assert split.dataset.classes == CLASSES
    assert split.counts()["test"] == 20  # left aside, as in training
    recipe.write_text(text.replace("{classes}", "mel, nv"))
    with pytest.raises(InputError, match="the images are of mel, nv") as caught:
        split_of(OwnImages(str(recipe)), card())
    assert "nv, mel, bkl" in caught.value.hint
    recipe.write_text(text.replace("{classes}", "bkl, mel, nv") + "task: multilabel\n")
    with pytest.raises(InputError, match="is for the task multilabel"):
        split_of(OwnImages(str(recipe)), card())


@pytest.mark.parametrize("place", ["absent.csv", "no-such-recipe"])
def test_what_is_not_there_is_named(tmp_path: Path, place: str) -> None:
    with pytest.raises(InputError, match=place):
        split_of(OwnImages(str(tmp_path / place)), card())


def test_images_that_the_student_was_trained_on_are_noticed(table: Path, tmp_path: Path) -> None:
    split = split_of(own(table), card())
    judging = [split.dataset.samples[index].image for index in split.indices("validation")]
    student = tmp_path / "student"
    assert names_trained_on(student, split) == []
    student.mkdir()
    stems = [Path(name).stem for name in judging[:2]]
    rows = [f"images/{stems[0]}.jpg,nv,1,train", f"images/{stems[1]}.jpg,nv,2,test"]
    (student / "split.csv").write_text("\n".join(["image,label,group,part", *rows]))
    assert names_trained_on(student, split) == [judging[0]]


def test_a_shipped_student_is_judged_on_labelled_images_of_the_users(
    students: Path, small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `edgekd build` names where a file is not certified."""
    words = ["build", "--target", "cpu-onnx", "--precision", "fp32", "--json"]
    words += ["--model", str(students / "tiny-student"), "--out", str(tmp_path / "out")]
    words += ["--policy", str(lenient.POLICY), "--data", str(small_run / "data" / "metadata.csv")]
    words += ["--image-column", "image_id", "--label-column", "dx"]
    words += ["--group-column", "lesion_id", "--image-root", str(small_run / "data" / "images")]
    assert main(words) == 0
    assert "bear the name of an image that the student was trained on" in capsys.readouterr().err
    with (small_run / "data" / "metadata.csv").open() as file:
        images = len(list(csv.DictReader(file)))
    with Bundle.open(tmp_path / "out" / "cpu-onnx-fp32") as bundle:
        manifest = bundle.manifest
    assert manifest.certificate is None
    assert manifest.warnings == ()
    fitted_on = manifest.decision.fitted_on
    assert 0.7 * images < fitted_on["images"] < 0.8 * images
    assert manifest.lowering.rungs[0].gate is not None
    assert manifest.lowering.rungs[0].gate.images == fitted_on["images"]
    assert manifest.metrics["teacher"] is None
    assert manifest.metrics["student"]["accuracy"] == manifest.metrics["artefact"]["accuracy"]
    assert "the student was trained on synthetic" in manifest.limits
    assert "of them bear the name" in manifest.limits
    assert manifest.data_source.startswith("metadata; trained on synthetic")


def test_images_are_named_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--target", "cpu-onnx", "--model", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main(["build", *words, "--data", "a.csv", "--data-root", str(tmp_path)]) == 2
    assert "name the images twice" in capsys.readouterr().err
