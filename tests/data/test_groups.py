"""Lesions and patients as tables write them: what a split keeps together."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from edgekd.data import Dataset, load_dataset, split_dataset
from edgekd.data.inspection import inspect_split
from edgekd.recipe import SplitSection


def data(root: Path, draw: Any, groups: list[str], **keys: Any) -> Dataset:
    lines = ["image,label,patient"]
    for number, group in enumerate(groups):
        draw(root / f"{number}.png", number % 256)
        lines.append(f"{number}.png,{'ab'[number % 2]},{group}")
    file = root / "t.csv"
    file.write_text("\n".join(lines), encoding="utf-8")
    return load_dataset({"source": "csv", "file": str(file), "group_column": "patient", **keys})


def parts_of(dataset: Dataset) -> dict[str, set[str]]:
    split = split_dataset(dataset, SplitSection(validation=0.3, test=0.3))
    found: dict[str, set[str]] = defaultdict(set)
    for sample, part in zip(dataset.samples, split.parts, strict=True):
        found[sample.group].add(part)
    return found


@pytest.mark.parametrize(
    "blank", ["", " ", "\u00a0", "NA", "nan", "NaN", "n/a", "#N/A", "null", "None", "unknown",
              "Unknown ", "UNK", "?", "-", "not available"],
)  # fmt: skip
def test_images_without_a_group_stand_alone(tmp_path: Path, draw: Any, blank: str) -> None:
    dataset = data(tmp_path, draw, ["P1", "P1", *[blank] * 40])
    assert len({sample.group for sample in dataset.samples}) == 41
    (note,) = dataset.notes
    assert note.startswith("40 images without a lesion or patient (40 ")
    inspected = inspect_split(split_dataset(dataset, SplitSection()), 32)
    assert inspected.groups == 41
    assert f"note: {note}" in inspected.text()


@pytest.mark.parametrize("spelling", ["P1 ", " P1", "P1\u00a0", "p1", "Ｐ1", "P1\u200b", "\tP1"])
def test_one_patient_in_several_spellings_is_one(tmp_path: Path, draw: Any, spelling: str) -> None:
    groups = [f"{'P1' if n % 4 else spelling}" if n < 20 else f"Q{n}" for n in range(60)]
    dataset = data(tmp_path, draw, groups)
    assert len({sample.group for sample in dataset.samples}) == 41
    assert all(len(parts) == 1 for parts in parts_of(dataset).values())
    assert any("P1" in note for note in dataset.notes)


def test_patients_are_told_apart_by_long_numbers(tmp_path: Path, draw: Any) -> None:
    groups = [str(10**12 + n) for n in range(6)]
    assert len({sample.group for sample in data(tmp_path, draw, groups).samples}) == 6


def test_numbers_that_a_spreadsheet_rewrote(tmp_path: Path, draw: Any) -> None:
    dataset = data(tmp_path, draw, ["7", "7.0", "007", "8"])
    assert [sample.group for sample in dataset.samples] == ["7", "7", "7", "8"]


def test_decomposed_letters(tmp_path: Path, draw: Any) -> None:
    dataset = data(tmp_path, draw, ["M\u00fcller", "Mu\u0308ller", "x"])
    assert len({sample.group for sample in dataset.samples}) == 2


def test_one_value_that_many_images_share_is_told(tmp_path: Path, draw: Any) -> None:
    dataset = data(tmp_path, draw, [*["0"] * 30, *(f"P{n}" for n in range(30))])
    assert dataset.notes == (
        "30 of 60 images share the lesion or patient '0' and lie in one part: is that a value for "
        "one that is not known?",
    )
    assert data(tmp_path, draw, [f"P{n // 3}" for n in range(60)]).notes == ()


def test_an_image_that_is_called_like_a_patient(tmp_path: Path, draw: Any) -> None:
    dataset = data(tmp_path, draw, ["2.png", "2.png", "", "x"])
    assert len({sample.group for sample in dataset.samples}) == 3


def test_no_group_column_is_told(tmp_path: Path, draw: Any) -> None:
    dataset = data(tmp_path, draw, ["x", "y"], group_column=None)
    assert dataset.notes == (
        "no lesion or patient is known: every image stands alone in the split",
    )


def test_lesions_of_ham10000(painted: Path, tmp_path: Path) -> None:
    root = tmp_path / "ham"
    root.mkdir()
    (root / "images").symlink_to(painted / "images")
    lines = (painted / "metadata.csv").read_text().splitlines()
    head, *rows = lines
    first = head.split(",").index("lesion_id")
    assert first == 0
    rows = [row if n < 30 else "," + row.split(",", 1)[1] for n, row in enumerate(rows)]
    (root / "HAM10000_metadata.csv").write_text("\n".join([head, *rows]))
    dataset = load_dataset({"source": "ham10000", "root": str(root)})
    assert len({sample.group for sample in dataset.samples[30:]}) == 40
    assert dataset.notes[0].startswith("40 images without a lesion or patient (40 blank)")


def test_notes_outlive_merged_classes(tmp_path: Path, draw: Any) -> None:
    dataset = data(tmp_path, draw, ["P", "P", "", ""], merge={"all_a": ["a"], "all_b": ["b"]})
    assert dataset.notes[0].startswith("2 images without")
