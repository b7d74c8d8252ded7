from __future__ import annotations

from pathlib import Path

import pytest
from labelled_tables import ROWS, table

from edgekd.data import Sample, dataset_of, load_dataset
from edgekd.errors import InputError


def test_data_set_of_nothing() -> None:
    with pytest.raises(InputError, match="has no images"):
        dataset_of("x", Path(), [])


def test_samples_keep_their_order_and_classes_are_sorted() -> None:
    samples = [Sample("2.png", "b", "2"), Sample("1.png", "a", "1")]
    dataset = dataset_of("x", Path("root"), samples)
    assert dataset.samples == tuple(samples)
    assert dataset.classes == ("a", "b")
    assert dataset.paths() == [Path("root/2.png"), Path("root/1.png")]


def test_a_class_with_a_letter_of_another_alphabet_is_told(root: Path) -> None:
    file = table(root, "image,label", *ROWS[:3], "d.jpg,m\u0435l")
    dataset = load_dataset({"source": "csv", "file": str(file)})
    assert any("Cyrillic" in note for note in dataset.notes)


@pytest.mark.parametrize("name", ["m\x1b[2Kel", "mel" * 70])
def test_a_class_that_no_bundle_takes_is_told_before_training(root: Path, name: str) -> None:
    file = table(root, "image,label", *ROWS[:3], f"d.jpg,{name}")
    with pytest.raises(InputError, match="a class that is no name"):
        load_dataset({"source": "csv", "file": str(file)})
