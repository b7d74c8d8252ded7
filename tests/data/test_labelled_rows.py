"""Labels of a table's rows: missing ones, and those that may stand for one."""

from __future__ import annotations

from pathlib import Path

import pytest
from labelled_tables import ROWS, refusal, table, trained

from edgekd.data import load_dataset


@pytest.mark.parametrize("word", ["nan", "NaN", "NA", "n/a", "#N/A", "<NA>", "null", "NULL"])
def test_a_label_that_stands_for_none(root: Path, word: str) -> None:
    file = table(root, "image,label", *ROWS[:3], f"d.jpg,{word}")
    error = refusal(trained, file)
    assert f"line 5 of {file} has the label {word!r}" in error.message
    assert trained(file, classes=["mel", "nv", word])[3] == ("d.jpg", word)


@pytest.mark.parametrize("word", ["none", "Unknown", "?"])
def test_a_class_that_may_stand_for_none_is_told(root: Path, word: str) -> None:
    file = table(root, "image,label", *ROWS[:3], f"d.jpg,{word}")
    dataset = load_dataset({"source": "csv", "file": str(file)})
    assert any(repr(word) in note for note in dataset.notes)
    listed = load_dataset({"source": "csv", "file": str(file), "classes": ["mel", "nv", word]})
    assert not any("taken for a class" in note for note in listed.notes)
