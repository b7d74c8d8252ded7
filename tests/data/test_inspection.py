from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgekd.cli import main
from edgekd.data import Sample, Split, dataset_of, decoded
from edgekd.data.contact_sheet import contact_sheet
from edgekd.data.inspection import inspect_split, sheet_of
from edgekd.errors import ImageError, InputError

PARTS = ("train", "train", "train", "validation", "test", "test")


@pytest.fixture
def split(tmp_path: Path, draw: Any) -> Split:
    """Six different images; the first four are `mel`, of two lesions."""
    samples = [Sample(f"{n}.png", "mel" if n < 4 else "nv", str(n // 2)) for n in range(6)]
    for number, sample in enumerate(samples):
        draw(tmp_path / "set" / sample.image, 20 + 30 * number)
    return Split(dataset_of("mine", tmp_path / "set", samples), PARTS)


def copy(split: Split, source: int, *places: int) -> None:
    paths = split.dataset.paths()
    for place in places:
        paths[place].write_bytes(paths[source].read_bytes())


def test_counts(split: Split) -> None:
    found = inspect_split(split, 32)
    assert found.images == {
        "mel": {"train": 3, "validation": 1, "test": 0},
        "nv": {"train": 0, "validation": 0, "test": 2},
    }
    assert (found.name, found.groups, found.leaks) == ("mine", 3, [])


def test_planted_duplicates_across_parts_are_leaks(split: Split) -> None:
    copy(split, 0, 4, 5)
    copy(split, 1, 3)
    assert inspect_split(split, 32).leaks == [["0.png", "4.png", "5.png"], ["1.png", "3.png"]]


def test_duplicate_within_a_part_is_no_leak(split: Split) -> None:
    copy(split, 0, 1)
    assert inspect_split(split, 32).leaks == []


def test_one_image_under_two_labels_is_told(split: Split) -> None:
    copy(split, 4, 5)
    assert inspect_split(split, 32).conflicts == []
    copy(split, 3, 4)
    found = inspect_split(split, 32)
    assert found.conflicts == [["3.png", "4.png"]]
    assert "one image, several labels: 3.png = 4.png" in found.text()


def test_text(split: Split) -> None:
    clean = inspect_split(split, 32).text()
    assert clean.startswith("mine: 6 images, 3 lesions or patients, 2 classes\n")
    assert clean.endswith("no image lies in two parts")
    copy(split, 0, 4)
    assert inspect_split(split, 32).text().endswith("leak: 0.png = 4.png")


def test_text_moves_no_cursor(tmp_path: Path, draw: Any) -> None:
    samples = [Sample(f"{n}\n\x1b[2K.png", ("mel", "nv")[n % 2], str(n)) for n in range(6)]
    for sample in samples:
        draw(tmp_path / sample.image, 20)
    text = inspect_split(Split(dataset_of("mine", tmp_path, samples), PARTS), 32).text()
    assert "0\\n\\x1b[2K.png" in text
    assert all(line.isprintable() for line in text.split("\n"))


def test_progress_is_told(split: Split) -> None:
    calls: list[tuple[int, int]] = []
    inspect_split(split, 32, lambda done, of: calls.append((done, of)))
    assert calls == [(n, 6) for n in range(1, 7)]


def test_missing_image_is_named(split: Split) -> None:
    split.dataset.paths()[3].unlink()
    with pytest.raises(InputError, match=r"3\.png cannot be read"):
        inspect_split(split, 32)


@pytest.fixture
def damaged(split: Split) -> Split:
    """Image 1 is cut, 2 is empty, 5 is text."""
    paths = split.dataset.paths()
    paths[1].write_bytes(paths[1].read_bytes()[:40])
    paths[2].write_bytes(b"")
    paths[5].write_text("not found", encoding="utf-8")
    return split


def test_all_damaged_images_are_listed(damaged: Split) -> None:
    found = inspect_split(damaged, 32)
    assert list(found.damaged) == ["1.png", "2.png", "5.png"]
    for path, why in found.damaged.items():
        assert path in why
        assert f"damaged: {why}" in found.text()


def test_training_names_all_damaged_images_at_once(damaged: Split, cache: Path) -> None:
    with pytest.raises(ImageError, match=r"3 of 6 images cannot be used: .*1\.png") as caught:
        decoded(damaged.dataset, 32)
    assert "2.png" in caught.value.message
    assert "5.png" in caught.value.message
    assert "edgekd data inspect" in caught.value.hint
    assert not list(cache.rglob("*.npy"))


def test_the_command_tells_damage_and_ends_with_2(
    tmp_path: Path, draw: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(12):
        draw(tmp_path / "set" / ("mel", "nv")[number % 2] / f"{number}.png", 20 * number)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"name: x\nimage_size: 32\ndata: {{source: folder, root: {tmp_path / 'set'}}}"
    )
    sheet = tmp_path / "sheet.png"
    assert main(["data", "inspect", str(recipe)]) == 0
    assert "note: no lesion or patient is known" in capsys.readouterr().out
    (tmp_path / "set" / "mel" / "0.png").write_bytes(b"")
    (tmp_path / "set" / "nv" / "3.png").write_bytes(b"")
    assert main(["data", "inspect", str(recipe), "--sheet", str(sheet)]) == 2
    told = capsys.readouterr()
    assert told.out.count("damaged: ") == 2
    assert "error: 2 of 12 images cannot be decoded" in told.err
    assert sheet.is_file()
    assert main(["data", "inspect", str(recipe), "--json"]) == 2
    assert set(json.loads(capsys.readouterr().out)["damaged"]) == {"mel/0.png", "nv/3.png"}


def test_sheet_shows_training_images_in_a_row_for_each_class(split: Split, tmp_path: Path) -> None:
    out = tmp_path / "out" / "sheet.png"
    sheet_of(split, out, columns=4, tile=32)
    sheet = cv2.imread(str(out))
    assert sheet is not None
    assert sheet.shape == (2 * (32 + 22) + 4, 4 * (32 + 4) + 4, 3)
    row = sheet[4 + 18 + 16]
    shown = [row[4 + column * 36 + 16].tolist() for column in range(4)]
    assert shown == [[20] * 3, [50] * 3, [80] * 3, [255] * 3]


def test_contact_sheet_fits_images_of_any_shape_uncropped() -> None:
    wide = np.zeros((10, 40, 3), np.uint8)
    tall = np.zeros((90, 30, 3), np.uint8)
    sheet = contact_sheet([wide, tall, wide], ["", "", ""], 2, tile=24)
    assert sheet.shape == (2 * (24 + 22) + 4, 2 * (24 + 4) + 4, 3)
    black = (sheet == 0).all(axis=2)
    assert black[:, 4:28].sum() == 2 * 24 * 6
    assert black[:, 32:56].sum() == 8 * 24


@pytest.mark.parametrize(
    ("count", "labels", "columns", "tile"), [(0, 0, 2, 8), (2, 1, 2, 8), (1, 1, 0, 8), (1, 1, 1, 0)]
)
def test_contact_sheet_refuses(count: int, labels: int, columns: int, tile: int) -> None:
    images = [np.zeros((8, 8, 3), np.uint8)] * count
    with pytest.raises(InputError):
        contact_sheet(images, ["x"] * labels, columns, tile=tile)
