"""The official layout of ISIC 2019, made small."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from edgekd.data import load_dataset, split_dataset
from edgekd.errors import InputError
from edgekd.recipe import SplitSection

COLUMNS = ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK")
TRUTH, METADATA = "ISIC_2019_Training_GroundTruth.csv", "ISIC_2019_Training_Metadata.csv"
IMAGES = "ISIC_2019_Training_Input"
Row = tuple[str, str, str]


def write(root: Path, rows: Sequence[Row]) -> Path:
    """Images (name, class, lesion) in the official layout."""
    (root / IMAGES).mkdir(parents=True)
    truth, about = ["image," + ",".join(COLUMNS)], ["image,age_approx,lesion_id,sex"]
    for name, label, lesion in rows:
        hot = ",".join(str(float(column == label)) for column in COLUMNS)
        truth.append(f"{name},{hot}")
        about.append(f"{name},55.0,{lesion},female")
        (root / IMAGES / f"{name}.jpg").write_bytes(b"")
    (root / TRUTH).write_text("\n".join(truth) + "\n")
    (root / METADATA).write_text("\n".join(about) + "\n")
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    rows = [(f"ISIC_{n:07d}", COLUMNS[n % 8], f"HAM_{n // 16}_{n % 8}") for n in range(64)]
    return write(tmp_path / "isic", [*rows, ("ISIC_1", "NV", ""), ("ISIC_2", "NV", "")])


def load(root: Path, **options: str):
    return load_dataset({"source": "isic2019", "root": str(root), **options})


def test_layout(root):
    dataset = load(root)
    assert dataset.classes == ("AK", "BCC", "BKL", "DF", "MEL", "NV", "SCC", "VASC")
    assert dataset.counts()["NV"] == 10
    assert dataset.samples[0].image == f"{IMAGES}/ISIC_0000000.jpg"
    assert dataset.samples[0].label == "MEL"
    assert dataset.samples[0].columns["age_approx"] == "55.0"
    assert all(path.is_file() for path in dataset.paths())


def test_lesions_stay_together_and_images_without_one_stand_alone(root):
    dataset = load(root)
    groups = {sample.group for sample in dataset.samples}
    assert len(groups) == 32 + 2
    split = split_dataset(dataset, SplitSection(validation=0.2, test=0.2))
    parts = {}
    for sample, part in zip(dataset.samples, split.parts, strict=True):
        assert parts.setdefault(sample.group, part) == part


def test_by_image_as_in_the_paper(root):
    dataset = load(root, group_by="image")
    assert len({sample.group for sample in dataset.samples}) == 66
    (root / METADATA).unlink()
    assert len(load(root, group_by="image").samples) == 66


def test_names_in_another_case(root):
    images = root / IMAGES.lower()
    (root / IMAGES).rename(images)
    for file in images.iterdir():
        file.rename(file.with_suffix(".JPG"))
    (root / METADATA).rename(root / METADATA.lower())
    assert all(path.is_file() for path in load(root).paths())


@pytest.mark.parametrize("name", [TRUTH, METADATA])
def test_a_missing_table_is_named(root, name):
    (root / name).unlink()
    with pytest.raises(InputError, match=f"{name} is missing"):
        load(root)


def test_a_missing_image_is_named(root):
    (root / IMAGES / "ISIC_0000003.jpg").unlink()
    with pytest.raises(
        InputError, match=r"line 5 of .*GroundTruth.csv names the image .ISIC_0000003"
    ):
        load(root)


@pytest.mark.parametrize("label", ["UNK", "none"])
def test_a_row_without_one_class_is_named(tmp_path, label):
    root = write(tmp_path / "isic", [("ISIC_1", "NV", "a"), ("ISIC_2", label, "b")])
    with pytest.raises(InputError, match=r"line 3 of .*GroundTruth.csv"):
        load(root)


def test_a_row_of_two_classes_in_part_is_named(root):
    text = (root / TRUTH).read_text()
    (root / TRUTH).write_text(text.replace("ISIC_0000001,0.0,1.0", "ISIC_0000001,0.4,1.0"))
    with pytest.raises(InputError, match=r"line 3 of .*GroundTruth.csv"):
        load(root)


def test_an_image_of_two_lesions_is_named(root):
    with (root / METADATA).open("a") as about:
        about.write("ISIC_0000001,55.0,HAM_0_1,female\n")
    load(root)
    with (root / METADATA).open("a") as about:
        about.write("ISIC_0000001,55.0,HAM_9_9,female\n")
    with pytest.raises(InputError, match="ISIC_0000001 twice: on lines 3 and 69"):
        load(root)


def test_a_row_that_the_metadata_lacks_is_named(root):
    lines = (root / METADATA).read_text().splitlines()
    (root / METADATA).write_text("\n".join(lines[:-1]))
    with pytest.raises(InputError, match="no row for the image ISIC_2"):
        load(root)


def test_a_missing_column_is_named(root):
    text = (root / TRUTH).read_text()
    (root / TRUTH).write_text(text.replace("VASC", "Vasc"))
    with pytest.raises(InputError, match="no column 'VASC'"):
        load(root)
