"""`edgekd logits`, as a user calls it."""

from __future__ import annotations

from pathlib import Path

import pytest
from colours import CLASSES, HALF, paint
from commands import refused
from model_files import write_onnx

from edgekd.cli import main
from edgekd.distill.teachers.soft_label_files import read_soft_label_file
from edgekd.models.importing.imported import import_model
from edgekd.models.importing.request import ImportRequest, Preprocessing


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A teacher in ONNX, images and their table."""
    paint(tmp_path, each=4)
    write_onnx(tmp_path / "a.onnx")
    own = Preprocessing(size=32, mean=HALF, std=HALF)
    import_model(ImportRequest(tmp_path / "a.onnx", CLASSES, preprocessing=own), tmp_path / "t")
    return tmp_path


def test_logits_of_a_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["logits", str(folder / "t"), "--csv", str(folder / "labels.csv"), "--views", "2"]
    arguments += ["--set", "image_size=24", "--out", str(folder / "soft.csv")]
    assert main(arguments) == 0
    assert "outputs 16 x 2 x 4 (images, views, classes)" in capsys.readouterr().err
    content = read_soft_label_file(folder / "soft.csv")
    assert content.columns == CLASSES
    assert content.facts is not None
    assert content.facts.views is not None
    assert content.facts.views["side"] == 32
    right = content.outputs[:, 0].argmax(axis=1)
    assert [CLASSES[place] for place in right] == [
        Path(n).stem.rstrip("0123") for n in content.names
    ]


def test_mistakes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["logits", str(folder / "t"), "--out", str(folder / "soft.csv")]
    refused(capsys, arguments, 2, "--csv and --recipe are missing")
    arguments += ["--csv", str(folder / "labels.csv")]
    refused(capsys, [*arguments, "--views", "-1"], 2, "no number of views")
    refused(capsys, [*arguments, "--set", "augment.mixup=0.2"], 2, "the recipe mixes them")
    refused(capsys, [*arguments, "--image-column", "x"], 2, "no column 'x'")
    assert not (folder / "soft.csv").exists()
