from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import pytest

from edgekd.data import Sample, Split, dataset_of
from edgekd.data.inspection import inspect_split, sheet_of
from edgekd.errors import InputError

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


def test_classes_that_a_part_lacks_are_noted(split: Split) -> None:
    assert inspect_split(split, 32).notes == (
        "the class 'mel' has no image in test",
        "the class 'nv' has no image in train and validation",
    )


def test_an_image_that_no_part_has_is_neither_counted_nor_a_leak(split: Split) -> None:
    copy(split, 0, 1)
    found = inspect_split(Split(split.dataset, ("train", "unused", *PARTS[2:])), 32)
    assert found.images["mel"] == {"train": 2, "validation": 1, "test": 0}
    assert found.leaks == []


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


def test_sheet_shows_training_images_in_a_row_for_each_class(split: Split, tmp_path: Path) -> None:
    out = tmp_path / "out" / "sheet.png"
    sheet_of(split, out, columns=4, tile=32)
    sheet = cv2.imread(str(out))
    assert sheet is not None
    assert sheet.shape == (2 * (32 + 22) + 4, 4 * (32 + 4) + 4, 3)
    row = sheet[4 + 18 + 16]
    shown = [row[4 + column * 36 + 16].tolist() for column in range(4)]
    assert shown == [[20] * 3, [50] * 3, [80] * 3, [255] * 3]
