"""Tables with other names and labels: what is read, left out, refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekd.errors import ImageError, InputError
from edgekd.evaluation.labels import label_map
from edgekd.evaluation.subgroups import requested_attributes
from edgekd.evaluation.table import (
    TableRequest,
    ValidationData,
    dataset_of_table,
    read_validation_table,
)

CLASSES = ("bkl", "mel", "nv")
ROWS = """Bild;Diagnose;Patient;sex
a.jpg;Common Nevus;1;male
b.jpg;Melanoma;1;Female
c.jpg;Atypical;2;
d.jpg;mel;;female
"""
MAP = ["Common Nevus=nv", "Melanoma=mel"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in "abcd":
        (tmp_path / f"{name}.jpg").write_bytes(name.encode())
    return tmp_path


def read(folder: Path, rows: str = ROWS, **options: object) -> ValidationData:
    file = folder / "befund.csv"
    file.write_text(rows, encoding="utf-8")
    settings: dict[str, object] = {
        "image_column": "Bild",
        "label_columns": ["Diagnose"],
        "labels": label_map(MAP, ["Atypical"], CLASSES),
        **options,
    }
    request = TableRequest(file=file, **settings)  # type: ignore[arg-type]
    return read_validation_table(request, CLASSES, task="classification")


def test_renamed_dropped_absent(folder: Path) -> None:
    data = read(folder, attributes=requested_attributes("sex"), group_column="Patient")
    assert data.bench.labels == ["nv", "mel", "mel"]
    assert [path.name for path in data.bench.paths] == ["a.jpg", "b.jpg", "d.jpg"]
    assert data.bench.groups == ["1", "1", "d.jpg"]
    assert data.dropped == {"Atypical": 1}
    assert data.renamed == {"Common Nevus": ("nv", 1), "Melanoma": ("mel", 1)}
    assert data.absent == ["bkl"]
    assert data.shown.tolist() == [[False, False, True], [False, True, False], [False, True, False]]
    (sex,) = data.attributes
    assert [sex.name_of(index) for index in range(3)] == ["male", "Female", "Female"]


def test_a_data_set_for_what_is_fitted_to_the_images(folder: Path, tmp_path: Path) -> None:
    dataset = dataset_of_table(read(folder, group_column="Patient"), folder)
    assert dataset.classes == CLASSES
    assert dataset.labels() == ["nv", "mel", "mel"]
    assert [sample.image for sample in dataset.samples] == ["a.jpg", "b.jpg", "d.jpg"]
    assert [sample.group for sample in dataset.samples] == ["1", "1", "d.jpg"]
    alone = dataset_of_table(read(folder), folder)
    assert len({sample.group for sample in alone.samples}) == 3
    elsewhere = read(folder, f"Bild;Diagnose\n{folder / 'a.jpg'};mel\n")
    other = dataset_of_table(elsewhere, tmp_path / "other")
    assert other.paths() == [folder / "a.jpg"]


def test_without_groups_every_image_stands_alone(folder: Path) -> None:
    assert read(folder).bench.groups is None


def test_what_is_not_renamed_is_refused_with_all_labels(folder: Path) -> None:
    with pytest.raises(InputError, match=r"'Common Nevus' \(1\).*'Atypical' \(1\)"):
        read(folder, labels=label_map(MAP[1:], [], CLASSES))


def test_a_table_of_which_nothing_is_left(folder: Path) -> None:
    with pytest.raises(InputError, match=r"no image of .* is left"):
        read(folder, labels=label_map([], ["Common Nevus", "Melanoma", "Atypical", "mel"], CLASSES))


def test_a_column_of_subgroups_that_is_not_there(folder: Path) -> None:
    with pytest.raises(InputError, match="no column 'Sex'") as caught:
        read(folder, attributes=requested_attributes("Sex"))
    assert "did you mean 'sex'?" in caught.value.hint


def test_images_that_are_left_out_may_be_missing(folder: Path) -> None:
    (folder / "c.jpg").unlink()
    assert len(read(folder).bench.images) == 3
    (folder / "d.jpg").unlink()
    with pytest.raises(ImageError, match=r"names the image 'd\.jpg'"):
        read(folder)


def test_findings_of_several_columns(folder: Path) -> None:
    rows = "image,HE,drusen\na.jpg,1,0\nb.jpg,1,1\nc.jpg,0,0\n"
    file = folder / "findings.csv"
    file.write_text(rows)
    classes = ("drusen", "haemorrhage")
    labels = label_map(["HE=haemorrhage"], [], classes)
    request = TableRequest(file, label_columns=("HE", "drusen"), labels=labels)
    data = read_validation_table(request, classes, task="multilabel")
    assert data.bench.labels == ["haemorrhage", "drusen;haemorrhage", "none"]
    file.write_text("image,HE,drusen\na.jpg,1,perhaps\n")
    with pytest.raises(InputError, match=r"line 2 of .*'perhaps' in the column 'drusen', for a"):
        read_validation_table(request, classes, task="multilabel")
