"""int8 of a student that was distilled without images: calibrated on those that were made."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import cv2
import lenient
import numpy as np
import pytest
from shipped_builds import TARGET, build

from edgekd.bundle import Bundle
from edgekd.cli import main
from edgekd.data import read_split
from edgekd.data.synthetic import CLASSES, paint
from edgekd.errors import InputError
from edgekd.lower.build import BuildRequest
from edgekd.lower.int8.calibration import MIN_IMAGES
from edgekd.lower.shipped.rebuild_jobs import RebuildJob, rebuild_jobs
from edgekd.lower.shipped.student import student_without_images
from edgekd.lower.shipped.synthesised import synthesised_calibration
from edgekd.models import read_card
from edgekd.models.card import SYNTHESISED_FOLDER, SYNTHESISED_LABELS
from edgekd.seals import seal_files, unseal_files

CARD_LINE = "77 synthesised images, which no camera took"


def write_images(folder: Path, size: int, count: int) -> None:
    """Images in the place of a generator's; there are as many of each class."""
    folder.mkdir()
    rows = [(f"{n:04d}.png", CLASSES[n % len(CLASSES)]) for n in range(count)]
    for number, (name, label) in enumerate(rows):
        image = cv2.resize(paint(label, 500 + number, 64), (size, size))
        cv2.imwrite(str(folder / name), image[..., ::-1])
    with (folder / SYNTHESISED_LABELS).open("w", newline="") as stream:
        csv.writer(stream).writerows([("image", "label"), *rows])


@pytest.fixture
def without(small_run: Path, tmp_path: Path) -> Path:
    """A student as one without images is kept, but for the images that were made."""
    folder = tmp_path / "student"
    shutil.copytree(small_run / "student", folder)
    unseal_files(folder)
    (folder / "split.csv").unlink()
    seal_files(folder, [file.name for file in folder.iterdir() if file.is_file()])
    return folder


@pytest.fixture
def student(without: Path) -> Path:
    write_images(without / SYNTHESISED_FOLDER, read_card(without).image_size, 77)
    return without


def test_the_draw_is_even_and_says_what_it_is_of(student: Path) -> None:
    drawn = synthesised_calibration(student, read_card(student), 70)
    assert drawn is not None
    assert drawn.images.shape == (70, *drawn.images.shape[1:])
    assert drawn.record()["part"] == "synthesised"
    table = (student / SYNTHESISED_FOLDER / SYNTHESISED_LABELS).read_text().splitlines()
    made = dict(csv.reader(table))
    labels = [made[Path(name).name] for name in drawn.names]
    assert {labels.count(name) for name in CLASSES} == {10}
    first = cv2.imread(str(student / SYNTHESISED_FOLDER / Path(drawn.names[0]).name))[..., ::-1]
    assert np.array_equal(drawn.images[0], first)


def test_too_few_are_none(without: Path) -> None:
    card = read_card(without)
    assert synthesised_calibration(without, card, 512) is None
    write_images(without / SYNTHESISED_FOLDER, card.image_size, MIN_IMAGES - 1)
    assert synthesised_calibration(without, card, 512) is None
    built = build(without, without.parent / "out", research=True, precisions=("int8",))
    assert isinstance(built.error, InputError)
    assert "nor 64 synthesised images to measure them on" in built.error.message
    assert "--data" in built.error.hint


def test_what_cannot_be_calibrated_by_them_is_refused(student: Path, tmp_path: Path) -> None:
    built = build(student, tmp_path / "out", research=True, precisions=("int8-mixed",))
    assert isinstance(built.error, InputError)
    assert "none judges it" in built.error.message
    assert "--precision int8" in built.error.hint
    arguments = ["build", "--target", "cpu-onnx", "--model", str(student), "--research"]
    words = [*arguments, "--precision", "int8", "--out", str(tmp_path / "out")]
    assert main([*words, "--calibration-images", "20"]) == 2
    assert main([word for word in words if word != "--research"]) == 2


@pytest.mark.slow
def test_int8_is_marked(student: Path, tmp_path: Path) -> None:
    built = build(student, tmp_path / "b", research=True, precisions=("int8",))
    assert built.error is None
    manifest = built.manifest
    assert manifest is not None
    record = manifest.lowering.calibration
    assert record is not None
    assert (record["part"], record["images"]) == ("synthesised", 77)
    assert manifest.certificate is not None
    assert not manifest.certificate.certified
    assert "images that a generator made" in manifest.warnings[0]
    assert built.path is not None
    assert CARD_LINE in (built.path / "card.md").read_text()
    assert not build(student, tmp_path / "b", research=True, precisions=("int8",)).fresh


@pytest.mark.slow
def test_int8_is_certified_where_images_are(student: Path, small_run: Path, tmp_path: Path) -> None:
    built = build(student, tmp_path / "b", research=True, precisions=("int8",))
    assert built.manifest is not None
    file = small_run / "student" / "split.csv"
    split = read_split(file, small_run / "data", name="", classes=CLASSES)
    chosen = split.indices("test") + split.indices("validation")
    samples = [split.dataset.samples[index] for index in chosen]
    table = tmp_path / "labels.csv"
    rows = "".join(f"{one.image},{one.label},{one.group}\n" for one in samples)
    table.write_text(f"image,label,patient\n{rows}")
    out = tmp_path / "certified"
    words = ["certify", str(built.path), "--csv", str(table), "--image-root",
             str(split.dataset.root), "--group-column", "patient", "--out", str(out)]  # fmt: skip
    assert main([*words, "--policy", str(lenient.POLICY)]) == 0
    with Bundle.open(out) as bundle:
        certified = bundle.manifest
    assert certified.warnings == ()
    assert certified.lowering.calibration == built.manifest.lowering.calibration
    assert CARD_LINE in (out / "card.md").read_text()


def jobs_of(student: Path, out: Path, images: int, precisions: Any = ("int8",)) -> RebuildJob:
    imageless = student_without_images(student)
    request = BuildRequest(student, [TARGET], out, precisions=precisions, research=True)
    calibration = synthesised_calibration(student, imageless.card, images)
    ((job,), refused) = rebuild_jobs(request, imageless, calibration)
    assert not refused
    return job


def test_other_images_are_another_bundle(student: Path, tmp_path: Path) -> None:
    """What calibrates is part of what a bundle is made from."""
    assert len({jobs_of(student, tmp_path, count).plan.key for count in (70, 77)}) == 2


def test_without_a_precision_the_bundle_is_the_safest(student: Path, tmp_path: Path) -> None:
    assert jobs_of(student, tmp_path, 77, None).variant.precision == "fp32"
