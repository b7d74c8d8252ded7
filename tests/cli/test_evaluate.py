"""`edgekd eval`: tables and photos as people have them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from commands import photo_of, refused
from commands import table as write_table
from tiny_bundles import ANSWER, REFER, RETAKE, write_photo, write_tiny_bundle

from edgekd.bundle import Bundle, write_bundle
from edgekd.bundle.seen_images import SEEN_IMAGES, SeenImages
from edgekd.cli import main
from edgekd.data.image_hashes import image_hashes
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


# several models, other labels, subgroups


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Thirty photos of three colours under a hospital's own words, of six patients."""
    (tmp_path / "photos").mkdir()
    lines = ["file,finding,patient,sex,age"]
    for number in range(30):
        colour = (ANSWER, REFER, RETAKE)[number % 3]
        shade = tuple(max(0, part - number // 3) for part in colour)  # each file has its own bytes
        write_photo(tmp_path / "photos" / f"{number:02}.png", shade)
        finding = ("Keratosis", "Melanoma", "Nevus", "Unsure")[number % 4]
        sex = ("f", "m", "")[number % 3 if number % 7 == 0 else number % 2]
        lines.append(f"photos/{number:02},{finding},{number % 6},{sex},{20 + 2 * number}")
    file = tmp_path / "study.csv"
    file.write_text("\n".join(lines))
    return file


def study_words(table: Path) -> list[str]:
    columns = ["--csv", str(table), "--image-column", "file", "--label-column", "finding"]
    labels = ["--map", "Keratosis=bkl", "--map", "Melanoma=mel", "--map", "Nevus=nv"]
    return [*columns, *labels, "--drop", "Unsure", "--group-column", "patient"]


def test_two_bundles_side_by_side(
    bundle: Path, study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_tiny_bundle(tmp_path / "other")
    out, page, sheet = (tmp_path / f"out.{kind}" for kind in ("json", "html", "csv"))
    options = ["--by", "sex,age:40", "--prevalence", "mel=0.02", "--maps", "2"]
    files = ["--json", str(out), "--html", str(page), "--predictions", str(sheet)]
    files += ["--pictures", str(tmp_path / "pictures")]
    models = [str(bundle), str(other)]
    assert main(["eval", *models, *study_words(study), *options, *files]) == 0
    captured = capsys.readouterr()
    result = json.loads(out.read_text())
    first, second = result["validation"]["models"]
    assert [row["name"] for row in result["rows"]] == [first["name"], second["name"]]
    assert result["data"]["groups"] == 6
    assert result["validation"]["labels"]["dropped"] == {"Unsure": 7}
    assert result["validation"]["labels"]["renamed"]["Melanoma"] == {"label": "mel", "images": 8}
    assert {each["state"] for each in result["validation"]["leaks"]} == {"not checked"}
    overall = first["overall"]
    parts = ("answered_right", "answered_wrong", "referred", "retaken")
    assert sum(overall[part]["count"] for part in parts) == 23
    assert overall["retaken"]["count"] > 0
    assert overall["referred"]["count"] > 0
    sex, age = first["attributes"]
    assert [each["name"] for each in sex["subgroups"]] == ["f", "m", "not known"]
    assert [each["name"] for each in age["subgroups"]] == ["under 40", "40 and over"]
    assert first["values"]["mel"]["prevalence"] == 0.02
    (difference,) = result["validation"]["differences"]
    assert difference["flips"] == 0
    with sheet.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 23
    assert {row["decision"] for row in rows} == {"answer", "refer", "retake"}
    html = page.read_text()
    assert "Of 8 images of mel, " in html
    assert html.count("Occlusion map for") == 2 * 4
    assert (tmp_path / "pictures" / "confusion-A.svg").is_file()
    assert len(list((tmp_path / "pictures").glob("map-*.svg"))) == 2 * 4
    assert "Of 8 images of mel, " in captured.out
    assert "images: 46/46" in captured.err


def test_labels_of_one_sex_that_are_degraded_are_named_first(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half of the women's keratoses are called melanoma, which the bundle answers `bkl`."""
    lines, photos = ["image,dx,sex,site"], {"bkl": ANSWER, "mel": (20, 240, 20)}
    for name, colour in photos.items():
        write_photo(tmp_path / f"{name}.png", colour)
    for number in range(160):
        name, sex = ("bkl", "mel")[number % 2], ("f", "m")[number // 2 % 2]
        image = tmp_path / f"{number}.png"
        image.symlink_to(tmp_path / f"{name}.png")
        label = "mel" if (sex, name) == ("f", "bkl") and number % 8 < 4 else name
        lines.append(f"{image.name},{label},{sex},{('back', 'face', 'foot')[number % 3]}")
    table, out = write_table(tmp_path, "\n".join(lines)), tmp_path / "out.json"
    columns = ["--csv", table, "--label-column", "dx", "--by", "site,sex"]
    assert main(["eval", str(bundle), *columns, "--json", str(out)]) == 0
    (model,) = json.loads(out.read_text())["validation"]["models"]
    first, *others = model["gaps"]
    assert (first["attribute"], first["member"], first["lower"]) == ("sex", "mel", "f")
    assert first["difference"]["low"] > 0 > max(gap["difference"]["low"] for gap in others)
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if line.startswith("The largest certain difference")]
    assert "sensitivity for mel is" in line
    assert "where sex is f and" in line


def test_labels_that_are_not_mapped_are_listed(
    bundle: Path, study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = study_words(study)
    del words[words.index("--map") : words.index("--map") + 2]
    refused(capsys, ["eval", str(bundle), *words], 2, "'Keratosis'", "--drop Keratosis")
    words = study_words(study)[:6]
    refused(capsys, ["eval", str(bundle), *words], 2, "4 labels are no class", "--map")


def test_images_that_a_bundle_was_made_with_are_refused(
    bundle: Path, study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = sorted((study.parent / "photos").iterdir())
    hashes = image_hashes([path for number, path in enumerate(photos) if number % 4 == 0])
    listed = SeenImages.of({"train": hashes[1:], "validation": hashes[:1]}, "split")
    with Bundle.open(bundle) as opened:
        manifest = opened.manifest
        files: dict[str, Path | bytes] = {name: opened.read(name) for name in manifest.files}
    leaky = tmp_path / "leaky"
    write_bundle(leaky, manifest, files | {SEEN_IMAGES: listed.encode()})
    out = tmp_path / "out.json"
    words = ["eval", str(leaky), *study_words(study), "--json", str(out)]
    error = "8 of 23 images are not new to"
    refused(capsys, words, 2, error, "trained on 7 and fitted on 1", "00.png", "--allow-leaks")
    assert not out.exists()
    assert main([*words, "--allow-leaks"]) == 0
    assert "Every number of it is better than on new images" in capsys.readouterr().out
    (leaks,) = json.loads(out.read_text())["validation"]["leaks"]
    assert (leaks["state"], leaks["by_part"]) == ("found", {"train": 7, "validation": 1})


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
