"""A wrong mean, exchanged colours, exchanged classes: each is seen on labelled images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from colours import CLASSES, HALF
from model_files import write_onnx

from edgekd.errors import InputError
from edgekd.models.importing.check import Check, check_model_on, labelled_images, read_rows
from edgekd.models.importing.imported import import_model
from edgekd.models.importing.request import ImportRequest, Preprocessing

OWN = {"size": 32, "mean": HALF, "std": HALF}


def checked(painted: Path, folder: Path, classes: tuple[str, ...] = CLASSES, **own: Any) -> Check:
    write_onnx(folder / "a.onnx")
    request = ImportRequest(
        folder / "a.onnx", classes, preprocessing=Preprocessing(**(OWN | own)),
    )  # fmt: skip
    checkpoint = import_model(request, folder / "out")
    images = labelled_images(read_rows(painted / "labels.csv", painted), painted, checkpoint.card)
    return check_model_on(checkpoint, images)


def test_a_model_that_is_right(painted: Path, tmp_path: Path) -> None:
    check = checked(painted, tmp_path)
    assert (check.images, check.accuracy, check.balanced_accuracy) == (48, 1.0, 1.0)
    assert check.as_shown == 1.0
    assert check.confusion == tuple(
        tuple(12 if row == column else 0 for column in range(4)) for row in range(4)
    )
    assert check.warnings == ()


def test_a_wrong_mean(painted: Path, tmp_path: Path) -> None:
    check = checked(painted, tmp_path, mean=(0.0,) * 3, std=(1.0,) * 3)
    assert check.balanced_accuracy == 0.75  # grey is taken for white
    (warning,) = check.warnings
    assert warning.startswith("--mean 0.")
    assert warning.endswith("would be right on 1.000 of 48 images, not 0.750")


def test_exchanged_colours(painted: Path, tmp_path: Path) -> None:
    check = checked(painted, tmp_path, channels="BGR")
    assert check.balanced_accuracy == 0.5
    assert "--channels rgb would be right on 1.000 of 48 images, not 0.500" in check.warnings


def test_exchanged_classes(painted: Path, tmp_path: Path) -> None:
    check = checked(painted, tmp_path, ("red", "blue", "white", "grey"))
    assert check.balanced_accuracy == 0.5
    (warning,) = check.warnings
    assert "white as grey, grey as white: check the order of --classes" in warning


def test_labels_without_a_class_and_classes_without_a_label(painted: Path, tmp_path: Path) -> None:
    check = checked(painted, tmp_path, ("red", "azure", "grey", "white"))
    assert check.images == 36
    assert check.warnings == (
        "the model has no class for blue (12): these images are left out",
        "no image is labelled azure",
    )
    with pytest.raises(InputError, match="none of the labels") as caught:
        checked(painted, tmp_path, ("a", "b", "c", "d"))
    assert "--map" in caught.value.hint


def test_chance_is_not_reported(painted: Path, tmp_path: Path) -> None:
    """One image more that is right in another order of classes is no evidence."""
    table = tmp_path / "few.csv"
    table.write_text("image,label\nred0.png,red\nblue0.png,blue\ngrey0.png,white\n")
    write_onnx(tmp_path / "a.onnx")
    request = ImportRequest(tmp_path / "a.onnx", CLASSES, preprocessing=Preprocessing(**OWN))
    checkpoint = import_model(request, tmp_path / "out")
    check = check_model_on(
        checkpoint, labelled_images(read_rows(table, painted), painted, checkpoint.card)
    )
    assert check.accuracy == pytest.approx(2 / 3)
    assert check.warnings == ("no image is labelled grey",)
