"""Attributes of samples: numbers as ranges, words in one spelling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from labelled_tables import table

from edgekd.data import load_dataset, read_split, split_dataset, write_split
from edgekd.data.attributes import binned, ranges_of
from edgekd.errors import InputError
from edgekd.recipe import SplitSection

AGES = [f"{age}.0" for age in range(0, 90, 5)]


def test_measures_become_ranges_of_a_round_width() -> None:
    assert ranges_of([0, 85]) == [20, 40, 60, 80]
    assert ranges_of([0.11, 0.29]) == [0.15, 0.2, 0.25]
    assert ranges_of([-7, 3]) == [-5, 0]
    assert list(dict.fromkeys(binned(AGES))) == [
        "below 20", "20 to 39", "40 to 59", "60 to 79", "80 and more",
    ]  # fmt: skip


def test_edges_of_the_recipe() -> None:
    assert binned(["39", "40", "64.0", "65"], [40, 65]) == [
        "below 40", "40 to 64", "40 to 64", "65 and more",
    ]  # fmt: skip
    assert binned(["1.5", "2", "3"], [2, 3]) == ["below 2", "2 to below 3", "3 and more"]


def test_few_numbers_are_grades() -> None:
    assert binned(["1.0", "2", "", "6"]) == ["1", "2", "unknown", "6"]


def test_words_have_one_spelling() -> None:
    assert binned(["Male", "male ", "n/a", "unknown", "lower_leg", "Lower leg"]) == [
        "Male", "Male", "unknown", "unknown", "lower_leg", "lower_leg",
    ]  # fmt: skip
    assert binned(["12", "85+"]) == ["12", "85+"]  # not all are numbers


def test_attributes_of_a_table(root: Path, tmp_path: Path) -> None:
    lines = (
        "image,label,age,Sex",
        "a.jpg,mel,61,f",
        "b.jpg,nv,,F",
        "c.jpg,nv,30,m",
        "d.jpg,mel,5,m",
    )
    section: dict[str, Any] = {"source": "csv", "file": str(table(root, *lines))}
    assert load_dataset(section).attributes == ()
    dataset = load_dataset(section | {"attributes": {"age": [18, 60], "Sex": []}})
    assert [sample.attributes for sample in dataset.samples] == [
        {"age": "60 and more", "Sex": "f"},
        {"age": "unknown", "Sex": "f"},
        {"age": "18 to 59", "Sex": "m"},
        {"age": "below 18", "Sex": "m"},
    ]
    with pytest.raises(InputError, match="no column 'sex'") as caught:
        load_dataset(section | {"attributes": ["sex"]})
    assert "did you mean 'Sex'?" in caught.value.hint


def test_attributes_travel_in_the_split_and_do_not_change_its_hash(
    painted: Path, tmp_path: Path
) -> None:
    dataset = load_dataset({"source": "ham10000", "root": str(painted)})
    assert dataset.attributes == ("age", "sex", "localization", "dx_type")
    split = split_dataset(dataset, SplitSection())
    file = tmp_path / "split.csv"
    file.write_text(write_split(split), encoding="utf-8")
    again = read_split(file, painted, name="ham10000", classes=dataset.classes)
    assert [s.attributes for s in again.dataset.samples] == [s.attributes for s in dataset.samples]
    plain = load_dataset({"source": "ham10000", "root": str(painted), "attributes": []})
    assert plain.attributes == ()
    assert split_dataset(plain, SplitSection()).sha256() == split.sha256() == again.sha256()


def test_a_column_of_many_values_is_noted(root: Path) -> None:
    cells = [f"x{n}" for n in range(40)]
    assert len(set(binned(cells))) == 40
    names = [f"{n}.jpg" for n in range(40)]
    for name in names:
        (root / name).write_bytes(b"")
    rows = [f"{name},{'ab'[n % 2]},{cells[n]}" for n, name in enumerate(names)]
    file = table(root, "image,label,id", *rows)
    dataset = load_dataset({"source": "csv", "file": str(file), "attributes": ["id"]})
    assert "the attribute 'id' has 40 values" in dataset.notes
