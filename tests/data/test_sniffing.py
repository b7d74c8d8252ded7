"""Data sets recognised by their layout, and columns by their names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dicom_images import write_dicom

from edgekd.data import load_dataset
from edgekd.data.sniffing import ColumnChoice, sniff
from edgekd.errors import InputError

Draw = Callable[[Path, int], None]


def write(file: Path, *lines: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


@pytest.fixture
def photos(tmp_path: Path, draw: Draw) -> Path:
    for number, name in enumerate(("a.jpg", "b.jpg", "c.jpg", "d.jpg")):
        draw(tmp_path / "photos" / name, 40 * number)
    return tmp_path


def test_a_table_with_usual_columns(photos: Path) -> None:
    file = write(
        photos / "t.csv", "Image_ID;dx;Patient;Age;sex;split;note",
        "a;mel;P1;60;f;train;x", "b;nv;P2;30;m;test;y", "c;nv;P3;;f;train;z", "d;mel;P4;5;m;val;",
    )  # fmt: skip
    sniffed = sniff(str(file))
    assert sniffed.section == {
        "source": "csv", "file": str(file), "image_column": "Image_ID",
        "root": str(photos / "photos"), "label_column": "dx", "group_column": "Patient",
        "split_column": "split", "attributes": ["Age", "sex"],
    }  # fmt: skip
    assert sniffed.policy == "none"
    dataset = load_dataset(sniffed.section)
    assert dataset.classes == ("mel", "nv")
    assert dataset.attributes == ("Age", "sex")


def test_one_column_for_each_class(photos: Path) -> None:
    file = write(photos / "t.csv", "image,MEL,NV", "a,1.0,0.0", "b,0.0,1.0")
    assert sniff(str(file)).section["label_columns"] == ["MEL", "NV"]


def test_columns_that_are_named(photos: Path) -> None:
    file = write(photos / "t.csv", "which,what,who", "a,mel,P1", "b,nv,P2")
    with pytest.raises(InputError, match="has the images is not clear") as caught:
        sniff(str(file))
    assert "--image-column, one of: which, what, who" in caught.value.hint
    with pytest.raises(InputError, match="has the labels is not clear"):
        sniff(str(file), ColumnChoice(image="which"))
    section = sniff(str(file), ColumnChoice("which", "what", "who")).section
    assert (section["label_column"], section["group_column"]) == ("what", "who")
    with pytest.raises(InputError, match="no column 'whoo'"):
        sniff(str(file), ColumnChoice("which", "what", "whoo"))


def test_a_column_called_split_that_has_no_parts_is_left(photos: Path) -> None:
    file = write(photos / "t.csv", "image,label,split", "a,mel,7", "b,nv,8")
    assert "split_column" not in sniff(str(file)).section


@pytest.mark.parametrize(
    ("files", "section", "policy"),
    [
        (["HAM10000_metadata.csv"], {"source": "ham10000"}, "dermoscopy"),
        (["ISIC_2019_Training_GroundTruth.csv"], {"source": "isic2019"}, "dermoscopy"),
        (["train.csv", "train_images/x.png"], {"source": "aptos2019"}, "fundus"),
        (["metadata.csv", "ISIC_1.jpg"],
         {"source": "isic_archive", "label_column": "diagnosis_1"}, "dermoscopy"),
        (["mel/a.jpg", "nv/b.png"], {"source": "folder"}, "none"),
    ],
)  # fmt: skip
def test_layouts(
    tmp_path: Path, files: list[str], section: dict[str, Any], policy: str
) -> None:  # fmt: skip
    for name in files:
        write(tmp_path / name, "x")
    sniffed = sniff(str(tmp_path))
    assert sniffed.section == {"root": str(tmp_path), **section}
    assert sniffed.policy == policy


def test_a_folder_of_dicom(tmp_path: Path) -> None:
    write_dicom(tmp_path / "s1" / "a.dcm")
    assert sniff(str(tmp_path)).section["source"] == "dicom"


@pytest.mark.parametrize("place", ["no.csv", "no", "s3://bucket/x"])
def test_what_is_not_there(place: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        sniff(place if "://" in place else str(tmp_path / place))
    assert caught.value.hint


def test_a_folder_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="of no layout that edgekd knows"):
        sniff(str(tmp_path))
