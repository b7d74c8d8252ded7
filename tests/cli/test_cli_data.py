"""`edgekd data inspect` and `edgekd data prepare` on painted images."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from edgekd.cli import main


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A recipe of 70 images of 32 px below the test's folder, and a cache of the test's own."""
    monkeypatch.setenv("EDGEKD_CACHE", str(tmp_path / "cache"))
    data = f"data={{source: synthetic, images: 70, size: 32, seed: 1, root: {tmp_path / 'data'}}}"
    return ["demo", "--set", data, "--set", "image_size=32"]


def test_inspect_as_text_json_and_sheet(
    recipe: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = tmp_path / "sheet.png"
    assert main(["data", "inspect", *recipe, "--sheet", str(sheet)]) == 0
    text = capsys.readouterr().out
    assert main(["data", "inspect", *recipe, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert "mel" in text
    assert facts["damaged"] == {}
    assert cv2.imread(str(sheet)) is not None


def test_inspect_reports_damaged_images_and_fails(
    recipe: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "inspect", *recipe]) == 0
    image = sorted((tmp_path / "data" / "images").glob("*.jpg"))[0]
    image.write_bytes(image.read_bytes()[:100])
    capsys.readouterr()
    assert main(["data", "inspect", *recipe, "--json"]) == 2
    reported = capsys.readouterr()
    assert image.stem in str(json.loads(reported.out)["damaged"])
    assert "1 of 70 images cannot be decoded" in reported.err


def test_copies_in_several_parts_fail_unless_they_are_allowed(
    recipe: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "inspect", *recipe, "--json"]) == 0
    images = sorted((tmp_path / "data" / "images").glob("*.jpg"))
    for image in images[1:]:
        image.write_bytes(images[0].read_bytes())
    capsys.readouterr()
    assert main(["data", "inspect", *recipe]) == 4
    reported = capsys.readouterr()
    assert "leak: " in reported.out
    assert "error: 1 images have copies in several parts: images/" in reported.err
    assert "--allow-leaks" in reported.err
    assert main(["data", "inspect", *recipe, "--allow-leaks"]) == 0


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("student.model.arch=mobilenetv2_1000", "mobilenetv2_1000"),
        ("teacher.model.pretrained=/no/such.safetensors", "/no/such.safetensors"),
        ("method={name: kd, temprature: 3}", "did you mean 'temperature'?"),
    ],
)
def test_a_wrong_network_or_method_is_named_beside_the_data(
    recipe: list[str], capsys: pytest.CaptureFixture[str], setting: str, words: str
) -> None:
    assert main(["data", "inspect", *recipe, "--set", setting]) == 2
    reported = capsys.readouterr()
    assert "no image lies in two parts" in reported.out
    assert words in reported.err
    assert reported.err.count("error: ") == 1


def test_a_sheet_does_not_replace_an_image(
    recipe: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "inspect", *recipe]) == 0
    image = sorted((tmp_path / "data" / "images").glob("*.jpg"))[0]
    before = image.read_bytes()
    assert main(["data", "inspect", *recipe, "--sheet", str(image)]) == 2
    assert "belongs to the data set" in capsys.readouterr().err
    assert image.read_bytes() == before


def test_prepare_fills_the_cache(
    recipe: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "prepare", *recipe]) == 0
    assert "70 images of" in capsys.readouterr().err
    files = {f: f.stat().st_mtime_ns for f in (tmp_path / "cache" / "decoded").iterdir()}
    assert files
    assert main(["data", "prepare", *recipe]) == 0
    assert {f: f.stat().st_mtime_ns for f in files} == files  # nothing is decoded again


def test_prepare_decodes_what_training_takes_too(
    recipe: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "prepare", *recipe, "--set", "augment.margin=1.25"]) == 0
    assert "at 32 and 40 pixels are in the cache" in capsys.readouterr().err
    assert len(list((tmp_path / "cache" / "decoded").glob("*/images.npy"))) == 2
