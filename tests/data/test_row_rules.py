"""Rows left out and labels renamed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from labelled_tables import ROWS, refusal, table, trained

from edgekd.data import load_dataset
from edgekd.data.row_rules import whole_numbers
from edgekd.errors import InputError

LINES = (
    "image,label,site",
    "a.jpg,Melanoma,back",
    "b.jpg,nevus,arm",
    "c.jpg,NEVUS,",
    "d.jpg,x,leg",
)
MAP = {"melanoma": "mel", "Nevus": "nv"}


def load(root: Path, **keys: Any) -> Any:
    return load_dataset({"source": "csv", "file": str(table(root, *LINES)), **keys})


def test_labels_are_renamed_in_any_case(root: Path) -> None:
    dataset = load(root, label_map=MAP)
    assert dataset.labels() == ["mel", "nv", "nv", "x"]
    assert dataset.notes == (
        "no lesion or patient is known: every image stands alone in the split",
    )


def test_a_name_that_no_row_has_is_noted_with_the_near_one(root: Path) -> None:
    notes = load(root, label_map=MAP | {"Melanom": "mel"}).notes
    assert "no label is 'Melanom', as in `data.label_map`: did you mean 'Melanoma'?" in notes


def test_labels_whose_rows_are_left_out(root: Path) -> None:
    dataset = load(root, label_map=MAP, drop=["X"])
    assert dataset.labels() == ["mel", "nv", "nv"]
    assert "1 row is left out by `data.drop`: 1 with 'x'" in dataset.notes


def test_rows_are_left_out_by_a_column(root: Path) -> None:
    dataset = load(root, label_map=MAP, drop={"site": ["ARM", "nan"]})
    assert dataset.labels() == ["mel", "x"]
    assert "2 rows are left out by `data.drop`: 1 with site 'arm', 1 with site ''" in dataset.notes
    with pytest.raises(InputError, match="has no column 'sit'"):
        load(root, drop={"sit": ["arm"]})


def test_images_of_rows_left_out_may_be_missing(root: Path) -> None:
    lines = [*LINES, "gone.jpg,x,leg"]
    section = {"source": "csv", "file": str(table(root, *lines)), "label_map": MAP}
    with pytest.raises(InputError, match=r"gone\.jpg"):
        load_dataset(section)
    assert len(load_dataset(section | {"drop": ["x"]}).samples) == 3


def test_leaving_out_every_row_is_refused(root: Path) -> None:
    error = refusal(trained, table(root, "image,label", *ROWS), drop=["mel", "nv"])
    assert "leaves out every row" in error.message


def test_findings_are_renamed_and_left_out_one_by_one(root: Path) -> None:
    file = table(root, "image,label", "a.jpg,Veil;net", "b.jpg,net", "c.jpg,none", "d.jpg,hair;net")
    section = {"source": "csv", "file": str(file), "label_map": {"veil": "v", "net": "n"}}
    assert load_dataset(section, "multilabel").labels() == ["n;v", "n", "none", "hair;n"]
    dropped = load_dataset(section | {"drop": ["Hair"]}, "multilabel")
    assert dropped.labels() == ["n;v", "n", "none"]


@pytest.mark.parametrize(
    ("labels", "listed", "expected"),
    [
        (["0.0", "1.0", "1"], None, ["0", "1", "1"]),
        (["0.0", "1.0"], ["0", "1"], ["0", "1"]),
        (["0.0", "1.0"], ["0.0", "1.0"], ["0.0", "1.0"]),
        (["0.5", "1.0"], None, ["0.5", "1.0"]),
        (["01", "2"], None, ["01", "2"]),
        (["nv", "1.0"], None, ["nv", "1.0"]),
    ],
)
def test_whole_numbers(labels: list[str], listed: list[str] | None, expected: list[str]) -> None:
    assert whole_numbers(labels, listed) == expected
