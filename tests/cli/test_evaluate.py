"""`edgekd eval`: tables and photos as people have them."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import photo_of, refused
from commands import table as write_table
from tiny_bundles import write_photo, write_tiny_bundle

from edgekd.cli import main
from edgekd.runtime import Classifier


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_tiny_bundle(tmp_path / "bundle")


@pytest.fixture
def table(bundle: Path, tmp_path: Path) -> Path:
    with Classifier.open(bundle) as classifier:
        classes = classifier.classes
    (tmp_path / "photos").mkdir()
    lines = ["Bild;Diagnose"]
    for number in range(9):
        write_photo(tmp_path / "photos" / f"{number}.jpg", (10 * number, 90, 200))
        lines.append(f".\\photos\\{number}.JPG;{classes[number % len(classes)]} ")
    file = tmp_path / "befund.csv"
    file.write_text("\n".join(lines), encoding="utf-8-sig")
    return file


def evaluate(bundle: Path, table: Path) -> int:
    columns = ["--image-column", "Bild", "--label-column", "Diagnose"]
    return main(["eval", str(bundle), "--csv", str(table), *columns])


def test_a_table_from_a_spreadsheet(
    bundle: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(bundle, table) == 0
    assert "images: 9/9" in capsys.readouterr().err


def test_all_damaged_images_are_told_at_once(
    bundle: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (2, 5, 7):
        (table.parent / "photos" / f"{number}.jpg").write_bytes(b"")
    assert evaluate(bundle, table) == 2
    *_, error, hint = capsys.readouterr().err.splitlines()
    assert error.startswith("error: 3 of 9 images cannot be used: ")
    assert all(f"{number}.jpg" in error for number in (2, 5, 7))
    assert "remove their rows" in hint


def test_a_class_in_another_case_is_told_the_right_one(
    bundle: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = table.read_text(encoding="utf-8-sig")
    label = text.splitlines()[1].split(";")[1].strip()
    table.write_text(text.replace(label, label.upper()), encoding="utf-8")
    assert evaluate(bundle, table) == 2
    assert f"did you mean {label!r}?" in capsys.readouterr().err


# mistakes


def test_a_csv_without_the_column(
    bundles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    csv = write_table(tmp_path, "image,diagnosis\na.jpg,mel\n")
    arguments = ["eval", str(bundles / "rpi-int8"), "--csv", csv, "--label-column", "diagnosi"]
    refused(capsys, arguments, 2, "no column 'diagnosi'", "did you mean 'diagnosis'?")


def test_a_class_that_the_model_does_not_know(
    bundles: Path, small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    csv = write_table(tmp_path, f"image,label\n{photo_of(small_run)},scc\n")
    out = tmp_path / "out.json"
    arguments = ["eval", str(bundles / "rpi-int8"), "--csv", csv, "--json", str(out)]
    refused(capsys, arguments, 2, "'scc'", "akiec, bcc")
    assert not out.exists()


def test_a_damaged_image_in_a_csv_leaves_no_result(
    bundles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing")
    csv = write_table(tmp_path, "image,label\nbroken,mel\n")
    out = tmp_path / "out.json"
    arguments = ["eval", str(bundles / "rpi-int8"), "--csv", csv, "--json", str(out)]
    refused(capsys, arguments, 2, "broken.jpg")
    assert not out.exists()
