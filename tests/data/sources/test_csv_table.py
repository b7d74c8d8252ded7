from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from edgekd.data import load_dataset, split_dataset
from edgekd.errors import ImageError, InputError
from edgekd.recipe import SplitSection, load_recipe

REPOSITORY = Path(__file__).parents[3]
REAL_DATA = Path(os.environ.get("EDGEKD_REAL_DATA") or REPOSITORY / ".." / "shared" / "data")


def refusal(**section: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        load_dataset(section)
    assert caught.value.hint
    assert "\n" not in caught.value.message
    return caught.value


@pytest.fixture
def table(tmp_path: Path, draw: Any) -> Path:
    """Four images in a CSV table, one named without its suffix and one below images/."""
    for number, name in enumerate(("a.png", "b.jpg", "images/c.png", "d.BMP")):
        draw(tmp_path / name, 40 * number)
    rows = [
        "image,label,patient,site",
        "a.png,mel,P1,back",
        "b,nv,P1,arm",
        "c,nv,P2,",
        "d.BMP,nv ,P3,leg",
    ]
    file = tmp_path / "labels.csv"
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return file


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_csv(table: Path) -> None:
    dataset = load_dataset({"source": "csv", "file": str(table), "group_column": "patient"})
    assert dataset.name == "labels"
    assert dataset.classes == ("mel", "nv")
    assert [sample.image for sample in dataset.samples] == [
        "a.png", "b.jpg", "images/c.png", "d.BMP",
    ]  # fmt: skip
    assert [sample.group for sample in dataset.samples] == ["P1", "P1", "P2", "P3"]
    assert dataset.targets().tolist() == [0, 1, 1, 1]
    assert dataset.counts() == {"mel": 1, "nv": 3}
    assert dataset.samples[0].columns["site"] == "back"
    assert all(path.is_file() for path in dataset.paths())
    assert dataset.paths([2]) == [table.parent / "images/c.png"]


def test_csv_without_groups_lets_every_image_stand_alone(table: Path) -> None:
    dataset = load_dataset({"source": "csv", "file": str(table)})
    assert len({sample.group for sample in dataset.samples}) == 4


def test_csv_with_own_columns_root_and_class_order(table: Path, tmp_path: Path) -> None:
    edit(table, "image,label", "photo,diagnosis")
    elsewhere = tmp_path / "tables" / "t.csv"
    elsewhere.parent.mkdir()
    table.rename(elsewhere)
    dataset = load_dataset(
        {
            "source": "csv", "file": str(elsewhere), "root": str(tmp_path), "name": "mine",
            "image_column": "photo", "label_column": "diagnosis", "classes": ["nv", "mel", "bcc"],
        }
    )  # fmt: skip
    assert (dataset.name, dataset.classes) == ("mine", ("nv", "mel", "bcc"))
    assert dataset.targets().tolist() == [1, 0, 0, 0]
    assert dataset.counts() == {"nv": 3, "mel": 1, "bcc": 0}


def test_csv_as_excel_saves_it(table: Path) -> None:
    text = table.read_text(encoding="utf-8").replace("\n", "\r\n")
    table.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert len(load_dataset({"source": "csv", "file": str(table)}).samples) == 4


def test_csv_missing_column_tells_the_near_one(table: Path) -> None:
    edit(table, "image,label", "images,label")
    error = refusal(source="csv", file=str(table))
    assert "has no column 'image'" in error.message
    assert "did you mean 'images'?" in error.hint
    assert "images, label, patient, site" in error.hint
    edit(table, "images,label", "image,label")
    error = refusal(source="csv", file=str(table), group_column="patients")
    assert "did you mean 'patient'?" in error.hint


def test_csv_missing_image_is_named_with_its_line(table: Path) -> None:
    edit(table, "c,nv", "gone,nv")
    error = refusal(source="csv", file=str(table))
    assert isinstance(error, ImageError)
    assert f"line 4 of {table} names the image 'gone'" in error.message


def test_csv_without_an_image_name(table: Path) -> None:
    edit(table, "c,nv", ",nv")
    assert "line 4 " in refusal(source="csv", file=str(table)).message


def test_csv_without_a_label(table: Path) -> None:
    edit(table, "c,nv", "c, ")
    assert "line 4 of" in refusal(source="csv", file=str(table)).message


@pytest.mark.parametrize(("old", "new"), [("b,nv,P1,arm", "b,nv"), ("b,nv,P1,arm", "b,nv,P1,a,b")])
def test_csv_line_of_another_length_is_named(table: Path, old: str, new: str) -> None:
    edit(table, old, new)
    error = refusal(source="csv", file=str(table))
    assert f"line 3 of {table}" in error.message
    assert "columns than the header" in error.message


def test_csv_image_listed_twice(table: Path) -> None:
    edit(table, "b,nv", "a,nv")
    assert (
        "names the image a.png twice: on lines 2 and 3"
        in refusal(source="csv", file=str(table)).message
    )


def test_csv_class_lists_that_are_refused(table: Path) -> None:
    section = {"source": "csv", "file": str(table)}
    error = refusal(**section, classes=["mel", "bcc"])
    assert "has the class 'nv', which is not among" in error.message
    assert "twice" in refusal(**section, classes=["mel", "nv", "mel"]).message
    assert "Expected `array | null`, got `str`" in refusal(**section, classes="mel").message
    edit(table, "mel", "nv")
    assert "only one class" in refusal(**section).message


def test_csv_with_grades(table: Path) -> None:
    section = {"source": "csv", "file": str(table), "ordered": True}
    assert load_dataset(section | {"classes": ["nv", "mel"]}).ordered
    assert not load_dataset(section | {"ordered": False}).ordered
    error = refusal(**section)
    assert "`data.ordered` says nothing without the order" in error.message
    assert "`data.classes`" in error.hint


def test_csv_tables_that_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    assert "does not exist" in refusal(source="csv", file=str(file)).message
    assert "cannot be read" in refusal(source="csv", file=str(tmp_path)).message
    for content in (b"", b"image,label\n"):
        file.write_bytes(content)
        assert "has no rows" in refusal(source="csv", file=str(file)).message
    file.write_bytes(b"image,label\nfoto,h\x81sslich\n")
    assert "cannot be read" in refusal(source="csv", file=str(file)).message


@pytest.mark.skipif(
    not (REAL_DATA / "idrid_512").is_dir(),
    reason=f"the real IDRiD is not at {REAL_DATA} (EDGEKD_REAL_DATA names its folder)",
)
def test_real_idrid_by_its_shipped_recipe() -> None:
    file = REAL_DATA / "idrid_512" / "labels.csv"
    dataset = load_dataset(load_recipe("idrid-kd", [f"data.file={file}"]).data)
    assert split_dataset(dataset, SplitSection()).sha256() == (
        "77bab9fa5b1fc55dfd447f5d800c482ae229e7ff6b4b9f6477a28721be2ed3a5"
    )
    assert dataset.counts() == {"0": 134, "1": 20, "2": 136, "3": 74, "4": 49}
    assert dataset.ordered
    folds = [split_dataset(dataset, SplitSection(folds=5, fold=fold)) for fold in range(5)]
    assert [split.counts()["test"] for split in folds] == [83, 83, 83, 82, 82]


# several folders, an official split, weights


@pytest.fixture
def two_folders(tmp_path: Path, draw: Any) -> tuple[Path, Path]:
    """a, b and c in fine/images; b and d in coarse."""
    for level, name in enumerate(("fine/images/a.png", "fine/images/b.png", "fine/images/c.JPG",
                                  "coarse/b.png", "coarse/d.png")):  # fmt: skip
        draw(tmp_path / name, 40 * level)
    return tmp_path / "fine", tmp_path / "coarse"


def test_csv_with_several_folders(two_folders: tuple[Path, Path], tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text(f"image,label\na,mel\nb,nv\n{two_folders[0]}/images/c.JPG,nv\nd,mel\n")
    section = {"source": "csv", "file": str(file)}
    dataset = load_dataset(section | {"root": [str(folder) for folder in two_folders]})
    assert dataset.root == tmp_path
    assert [sample.image for sample in dataset.samples] == [
        "fine/images/a.png", "fine/images/b.png", "fine/images/c.JPG", "coarse/d.png",
    ]  # fmt: skip
    assert all(path.is_file() for path in dataset.paths())
    assert "1 images are in several folders; the first has fine/images/b.png" in dataset.notes
    swapped = load_dataset(section | {"root": [str(folder) for folder in two_folders[::-1]]})
    assert swapped.samples[1].image == "coarse/b.png"
    error = refusal(**section, root=[str(two_folders[0]), str(tmp_path / "tables")])
    assert f"'d', which is not in {two_folders[0]} or {tmp_path / 'tables'}" in error.message


def test_csv_with_an_official_split(two_folders: tuple[Path, Path], tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text(
        "image,label,lesion,part\na,mel,L1,fit\nb,nv,L2,val\nc,nv,L3,hold-out\nd,mel,L1,extra\n"
    )
    roots = [str(folder) for folder in two_folders]
    section = {"source": "csv", "file": str(file), "root": roots, "group_column": "lesion",
               "split_column": "part"}  # fmt: skip
    split = split_dataset(load_dataset(section), SplitSection())
    assert split.parts == ("train", "validation", "test", "train")
    names = {"split_names": {"test": ["fit"]}}
    assert "line 2 " not in refusal(**(section | {"split_column": "lesion"})).hint
    assert "has the part 'L1'" in refusal(**(section | {"split_column": "lesion"})).message
    assert "line 4 of" in refusal(**(section | names)).message
    assert "there is none" in refusal(**(section | names | {"split_column": None})).message


def test_csv_with_weights(table: Path) -> None:
    edit(table, "patient,site", "weight,site")
    for name, weight in (("mel,P1", "2.5"), ("nv,P1", "1"), ("nv,P2", "0"), ("nv ,P3", "1")):
        edit(table, name, f"{name.split(',')[0]},{weight}")
    section = {"source": "csv", "file": str(table)}
    dataset = load_dataset(section | {"weight_column": "weight"})
    assert [sample.weight for sample in dataset.samples] == [2.5, 1.0, 0.0, 1.0]
    weighted, plain = (
        split_dataset(one, SplitSection()).sha256() for one in (dataset, load_dataset(section))
    )
    assert weighted != plain
