"""Labels of findings that may occur together, in one column and in several."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgekd.data import load_dataset, read_split, split_dataset, write_split
from edgekd.data.dataset import Dataset
from edgekd.data.inspection import inspect_split, sheet_of
from edgekd.errors import InputError
from edgekd.recipe import SplitSection
from edgekd.tasks.multilabel.data import Data

TASK = "multilabel"
FINDINGS = ("network", "streaks", "veil")
LABELS = ["network;streaks", "none", "veil", "network", "network;veil", "streaks;network"]


def write_images(folder: Path, count: int) -> list[str]:
    rng = np.random.default_rng(0)
    names = [f"{number}.png" for number in range(count)]
    for name in names:
        cv2.imwrite(str(folder / name), rng.integers(0, 255, (16, 16, 3), dtype=np.uint8))
    return names


def one_column(folder: Path, labels: list[str]) -> dict[str, Any]:
    """The `data` section of a table with findings as `a;b`."""
    names = write_images(folder, len(labels))
    rows = [f"{name},{label}" for name, label in zip(names, labels, strict=True)]
    file = folder / "one.csv"
    file.write_text("\n".join(["image,label", *rows]) + "\n")
    return {"source": "csv", "file": str(file), "name": "mine"}


def several_columns(folder: Path, cells: list[tuple[str, ...]]) -> dict[str, Any]:
    """The `data` section of a table with one column for each finding."""
    names = write_images(folder, len(cells))
    rows = [",".join((name, *row)) for name, row in zip(names, cells, strict=True)]
    file = folder / "several.csv"
    file.write_text("\n".join([",".join(("image", *FINDINGS)), *rows]) + "\n")
    return {"source": "csv", "file": str(file), "name": "mine", "label_columns": list(FINDINGS)}


def cells_of(labels: list[str]) -> list[tuple[str, ...]]:
    """1 and 0, true and false, yes and no by turns."""
    words = (("1", "0"), ("True", "False"), ("yes", "no"))
    return [
        tuple(words[row % 3][0 if name in label.split(";") else 1] for name in FINDINGS)
        for row, label in enumerate(labels)
    ]


def refusal(section: dict[str, Any]) -> InputError:
    with pytest.raises(InputError) as caught:
        load_dataset(section, TASK)
    return caught.value


def test_both_kinds_of_table_give_one_data_set(tmp_path: Path) -> None:
    one = load_dataset(one_column(tmp_path, LABELS), TASK)
    several = load_dataset(several_columns(tmp_path, cells_of(LABELS)), TASK)
    assert one.classes == several.classes == FINDINGS
    assert one.labels() == several.labels()
    assert np.array_equal(one.targets(), several.targets())
    section = SplitSection(validation=0.3, test=0.3)
    assert split_dataset(one, section).sha256() == split_dataset(several, section).sha256()


def test_targets_are_0_and_1_in_the_order_of_the_classes(tmp_path: Path) -> None:
    dataset = load_dataset(one_column(tmp_path, LABELS), TASK)
    assert dataset.targets().dtype == np.float32
    assert dataset.targets().tolist() == [
        [1, 1, 0], [0, 0, 0], [0, 0, 1], [1, 0, 0], [1, 0, 1], [1, 1, 0],
    ]  # fmt: skip
    assert dataset.counts() == {"network": 4, "streaks": 2, "veil": 2}
    assert dataset.labels()[-1] == "network;streaks"  # in the order of the classes


@pytest.mark.parametrize("listed", [{}, {"classes": ["network", "veil"]}])
@pytest.mark.parametrize("label", ["", "  ", ";", " ; ;"])
def test_a_blank_label_is_refused_with_its_image(
    tmp_path: Path, label: str, listed: dict[str, Any]
) -> None:
    """A label that is missing must not become a negative."""
    error = refusal({**one_column(tmp_path, ["network", f'"{label}"', "veil"]), **listed})
    assert error.exit_code == 2
    assert error.message == f"line 3 of {tmp_path / 'one.csv'} has no label, for 1.png"
    assert error.hint.startswith("write none where there is no finding")


def test_no_finding_is_written_as_none(tmp_path: Path) -> None:
    dataset = load_dataset(one_column(tmp_path, ["network", "None", "veil; network"]), TASK)
    assert dataset.labels() == ["network", "none", "network;veil"]


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("network;none", "line 3 of .* has the label 'network;none'"),
        ("nan", "line 3 of .* has the label 'nan', which stands for a missing value"),
    ],
)
def test_labels_that_say_nothing_sure_are_refused(tmp_path: Path, label: str, message: str) -> None:
    error = refusal(one_column(tmp_path, ["network", label]))
    assert re.search(message, error.message)


def test_an_unknown_finding_comes_with_its_line_and_the_nearest(tmp_path: Path) -> None:
    section = {**one_column(tmp_path, ["network", "veil;netwrok"]), "classes": ["network", "veil"]}
    error = refusal(section)
    assert "line 3" in error.message
    assert "the finding 'netwrok'" in error.message
    assert "did you mean 'network'?" in error.hint


@pytest.mark.parametrize("cell", ["", "maybe", "2"])
def test_a_cell_that_is_neither_yes_nor_no_is_refused(tmp_path: Path, cell: str) -> None:
    error = refusal(several_columns(tmp_path, [("1", "0", "0"), ("0", cell, "1")]))
    assert error.exit_code == 2
    assert error.message.endswith(f"has {cell!r} in the column 'streaks', for 1.png")
    assert "line 3" in error.message
    assert "1 or 0" in error.hint


@pytest.mark.parametrize("name", ["none", "a;b"])
def test_names_that_labels_cannot_hold_are_refused(tmp_path: Path, name: str) -> None:
    error = refusal({**one_column(tmp_path, ["network"]), "classes": ["network", name]})
    assert f"cannot be called {name!r}" in error.message


@pytest.mark.parametrize("key", [{"merge": {"a": ["b"]}}, {"subclasses": "label"}])
def test_findings_are_neither_merged_nor_divided(tmp_path: Path, key: dict[str, Any]) -> None:
    error = refusal({**one_column(tmp_path, LABELS), **key})
    assert error.message == "the task multilabel neither merges nor divides classes"
    assert f"data.{next(iter(key))}" in error.hint


def test_both_ways_of_labelling_at_once_are_refused(tmp_path: Path) -> None:
    section = {**several_columns(tmp_path, cells_of(LABELS)), "label_column": "network"}
    assert "not in both" in refusal(section).message


def many(tmp_path: Path) -> Dataset:
    labels = ["network"] * 40 + ["network;veil"] * 6 + ["none"] * 20 + ["streaks;network"] * 6
    return load_dataset(one_column(tmp_path, labels), TASK)


@pytest.mark.parametrize("seed", range(5))
def test_each_part_has_its_share_of_rare_findings(tmp_path: Path, seed: int) -> None:
    dataset = many(tmp_path)
    split = split_dataset(dataset, SplitSection(validation=0.2, test=0.2, seed=seed))
    for part in ("train", "validation", "test"):
        counts = Data().counts(dataset.targets()[split.indices(part)], dataset.classes)
        assert min(counts) >= 1
        rare = dict(zip(dataset.classes, counts, strict=True))
        assert rare["veil"] == rare["streaks"] == {"train": 4}.get(part, 1)


def test_a_split_is_read_as_it_was_written(tmp_path: Path) -> None:
    split = split_dataset(many(tmp_path), SplitSection())
    file = tmp_path / "split.csv"
    file.write_text(write_split(split))
    again = read_split(file, tmp_path, name="mine", classes=FINDINGS, task=TASK)
    assert again.sha256() == split.sha256()
    assert np.array_equal(again.dataset.targets(), split.dataset.targets())


def test_inspection_counts_an_image_for_each_finding(tmp_path: Path) -> None:
    split = split_dataset(many(tmp_path), SplitSection(validation=0.0, test=0.0))
    inspection = inspect_split(split, 16)
    assert {name: parts["train"] for name, parts in inspection.images.items()} == {
        "network": 52, "streaks": 6, "veil": 6,
    }  # fmt: skip
    assert inspection.text().startswith("mine: 72 images, 72 lesions or patients, 3 classes")


def test_the_contact_sheet_has_a_row_for_each_finding(tmp_path: Path) -> None:
    split = split_dataset(many(tmp_path), SplitSection(validation=0.0, test=0.0))
    sheet_of(split, tmp_path / "sheet.png", columns=4, tile=16)
    height, width = cv2.imread(str(tmp_path / "sheet.png")).shape[:2]
    assert (height, width) == (3 * (16 + 22) + 4, 4 * (16 + 4) + 4)
