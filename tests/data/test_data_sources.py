from __future__ import annotations

import csv
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from edgekd.data import Sample, dataset_of, load_dataset, split_dataset
from edgekd.errors import ImageError, InputError
from edgekd.extensions.sources import SOURCES
from edgekd.recipe import SplitSection, load_recipe

REPOSITORY = Path(__file__).parents[2]
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


def test_unknown_source_suggests() -> None:
    error = refusal(source="ham1000", root="x")
    assert "did you mean 'ham10000'?" in error.hint
    assert all(name in error.hint for name in SOURCES.names())
    assert "there is no data source ''" in refusal(root="x").message


@pytest.mark.parametrize(
    ("source", "wrong", "right"),
    [("csv", "label_colum", "label_column"), ("folder", "rot", "root"),
     ("ham10000", "roots", "root"), ("synthetic", "image", "images")],
)  # fmt: skip
def test_unknown_key_suggests(source: str, wrong: str, right: str) -> None:
    error = refusal(source=source, **{wrong: "x"})
    assert f"data source {source}: unknown key {wrong!r}" in error.message
    assert error.hint == f"did you mean {right!r}?"


def test_section_is_not_changed(table: Path) -> None:
    section = {"source": "csv", "file": str(table)}
    load_dataset(section)
    assert section == {"source": "csv", "file": str(table)}


# csv


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
    file.write_bytes("image,label\nfoto,häßlich\n".encode("latin-1"))
    assert "cannot be read" in refusal(source="csv", file=str(file)).message


# folder


def test_folder(tmp_path: Path, draw: Any) -> None:
    for name in ("mel/b.png", "mel/a.JPG", "nv/deep/c.jpg", "nv/d.webp", "top.png"):
        draw(tmp_path / name, 50)
    (tmp_path / "nv" / "notes.txt").write_text("x", encoding="utf-8")
    dataset = load_dataset({"source": "folder", "root": str(tmp_path), "licence": "CC0"})
    assert dataset.classes == ("mel", "nv")
    assert [(sample.image, sample.label) for sample in dataset.samples] == [
        ("mel/a.JPG", "mel"), ("mel/b.png", "mel"), ("nv/d.webp", "nv"), ("nv/deep/c.jpg", "nv"),
    ]  # fmt: skip
    assert len({sample.group for sample in dataset.samples}) == 4
    assert (dataset.name, dataset.licence) == (tmp_path.name, "CC0")


def test_folder_that_holds_no_data_set(tmp_path: Path, draw: Any) -> None:
    assert "does not exist" in refusal(source="folder", root=str(tmp_path / "absent")).message
    error = refusal(source="folder", root=str(tmp_path))
    assert "has no images" in error.message
    assert str(tmp_path / "CLASS" / "NAME.jpg") in error.hint
    draw(tmp_path / "mel" / "a.png", 0)
    assert "only one class" in refusal(source="folder", root=str(tmp_path)).message


# ham10000 and synthetic


def test_ham10000(painted: Path) -> None:
    dataset = load_dataset({"source": "ham10000", "root": str(painted)})
    assert dataset.classes == ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
    assert len(dataset.samples) == 70
    assert len({sample.group for sample in dataset.samples}) < 70
    assert dataset.samples[0].columns["dx"] == dataset.samples[0].label
    assert dataset.licence == "CC BY-NC 4.0"
    assert all(path.is_file() for path in dataset.paths())


@pytest.fixture
def official(tmp_path: Path, painted: Path) -> Path:
    """The official layout: two parts and HAM10000_metadata.csv."""
    root = tmp_path / "ham"
    for part in ("HAM10000_images_part_1", "HAM10000_images_part_2"):
        (root / part).mkdir(parents=True)
    for number, file in enumerate(sorted((painted / "images").iterdir())):
        part = f"HAM10000_images_part_{1 + number % 2}"
        (root / part / file.name).symlink_to(file)
    (root / "HAM10000_metadata.csv").write_bytes((painted / "metadata.csv").read_bytes())
    return root


def test_ham10000_in_two_parts(official: Path) -> None:
    dataset = load_dataset({"source": "ham10000", "root": str(official)})
    folders = {sample.image.split("/")[0] for sample in dataset.samples}
    assert folders == {"HAM10000_images_part_1", "HAM10000_images_part_2"}


def test_ham10000_with_folders_and_suffixes_in_another_case(official: Path) -> None:
    (official / "HAM10000_images_part_1").rename(official / "ham10000_images_part_1")
    for file in (official / "HAM10000_images_part_2").iterdir():
        file.rename(file.with_suffix(".JPG"))
    (official / "HAM10000_metadata.csv").rename(official / "ham10000_Metadata.CSV")
    dataset = load_dataset({"source": "ham10000", "root": str(official)})
    assert len(dataset.samples) == 70
    assert all(path.is_file() for path in dataset.paths())


@pytest.mark.parametrize("name", ["HAM10000_metadata.tab", "HAM10000_metadata"])
def test_ham10000_as_its_archive_gives_it(official: Path, name: str) -> None:
    section = {"source": "ham10000", "root": str(official)}
    before = load_dataset(section)
    table = official / "HAM10000_metadata.csv"
    lines = table.read_text(encoding="utf-8").splitlines()
    quoted = ("\t".join(f'"{cell}"' for cell in line.split(",")) for line in lines)
    (official / name).write_text("\n".join(quoted), encoding="utf-8")
    table.unlink()
    (official / "._HAM10000_metadata.csv").write_bytes(b"\0\5\x16\7")
    assert load_dataset(section) == before


def test_ham10000_with_two_other_tables(official: Path) -> None:
    table = official / "HAM10000_metadata.csv"
    other = official / "a_metadata.csv"
    table.rename(other)
    assert len(load_dataset({"source": "ham10000", "root": str(official)}).samples) == 70
    (official / "b_metadata.csv").write_bytes(other.read_bytes())
    error = refusal(source="ham10000", root=str(official))
    assert "there are a_metadata.csv and b_metadata.csv" in error.message


def test_a_class_without_images_is_told(official: Path) -> None:
    table = official / "HAM10000_metadata.csv"
    lines = table.read_text(encoding="utf-8").splitlines()
    table.write_text("\n".join(line for line in lines if ",df," not in line), encoding="utf-8")
    dataset = load_dataset({"source": "ham10000", "root": str(official)})
    assert "there is no image of the class 'df'" in dataset.notes
    merge = {"benign": ["bkl", "df", "nv", "vasc"], "malignant": ["akiec", "bcc", "mel"]}
    merged = load_dataset({"source": "ham10000", "root": str(official), "merge": merge})
    assert "there is no image of the class 'df'" in merged.notes


def test_ham10000_missing_pieces(official: Path) -> None:
    section = {"source": "ham10000", "root": str(official)}
    metadata = official / "HAM10000_metadata.csv"
    edit(metadata, "lesion_id", "lesion")
    assert "did you mean 'lesion'?" in refusal(**section).hint
    edit(metadata, "lesion,", "lesion_id,")
    (official / "HAM10000_images_part_1" / "SYNI_0000000.jpg").unlink()
    error = refusal(**section)
    assert "names the image 'SYNI_0000000', which is not in" in error.message
    assert str(official / "HAM10000_images_part_1") in error.hint
    metadata.unlink()
    error = refusal(**section)
    assert f"does not look like HAM10000: {metadata} is missing" in error.message


def test_ham10000_with_a_class_of_another_set(official: Path) -> None:
    edit(official / "HAM10000_metadata.csv", ",df,", ",scc,")
    assert "the class 'scc'" in refusal(source="ham10000", root=str(official)).message


def test_synthetic_is_painted_once_and_kept(cache: Path) -> None:
    section = {"source": "synthetic", "images": 70, "size": 32, "seed": 5}
    first = load_dataset(section)
    stamps = [path.stat().st_mtime_ns for path in first.paths()]
    again = load_dataset(section)
    assert again == first
    assert [path.stat().st_mtime_ns for path in again.paths()] == stamps
    assert first.root.parent == cache
    assert (first.name, first.licence) == ("synthetic-1-70-32-5", "Apache-2.0")


@pytest.mark.parametrize(("key", "value"), [("images", 69), ("size", 31), ("images", "many")])
def test_synthetic_refuses(key: str, value: Any) -> None:
    assert f"(at {key})" in refusal(source="synthetic", **{key: value}).message


# whatever the source


def test_data_set_of_nothing() -> None:
    with pytest.raises(InputError, match="has no images"):
        dataset_of("x", Path(), [])


def test_samples_keep_their_order_and_classes_are_sorted() -> None:
    samples = [Sample("2.png", "b", "2"), Sample("1.png", "a", "1")]
    dataset = dataset_of("x", Path("root"), samples)
    assert dataset.samples == tuple(samples)
    assert dataset.classes == ("a", "b")
    assert dataset.paths() == [Path("root/2.png"), Path("root/1.png")]


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


@pytest.mark.skipif(
    not (REAL_DATA / "ham10000").is_dir(),
    reason=f"the real HAM10000 is not at {REAL_DATA} (EDGEKD_REAL_DATA names its folder)",
)
def test_real_ham10000_is_split_by_lesion() -> None:
    dataset = load_dataset({"source": "ham10000", "root": str(REAL_DATA / "ham10000")})
    with (REAL_DATA / "ham10000" / "HAM10000_metadata.csv").open(encoding="utf-8") as stream:
        assert len(dataset.samples) == len(list(csv.DictReader(stream))) == 10_015
    split = split_dataset(dataset, SplitSection())
    assert split.sha256() == "3b5ec4f13c7b680bf6cbd0f45e069375a96bd156b2274dd32da424f6de8ae55a"
    assert dataset.notes == ()
    parts: dict[str, set[str]] = defaultdict(set)
    for sample, part in zip(dataset.samples, split.parts, strict=True):
        parts[sample.group].add(part)
    assert len(parts) == 7470
    assert all(len(found) == 1 for found in parts.values())
    assert split.counts()["test"] / 10_015 == pytest.approx(0.2, abs=0.005)
    assert split.counts()["validation"] / 10_015 == pytest.approx(0.15, abs=0.005)
