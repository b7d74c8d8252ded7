"""The official layout of APTOS 2019, made small."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekd.data import Dataset, decoded_images, load_dataset, split_dataset
from edgekd.errors import ImageError, InputError
from edgekd.recipe import SplitSection, load_recipe

GRADES = [0] * 20 + [1] * 6 + [2] * 10 + [3] * 5 + [4] * 5


@pytest.fixture
def root(tmp_path: Path, draw: Callable[[Path, int], None]) -> Path:
    lines = ["id_code,diagnosis"]
    for number, grade in enumerate(GRADES):
        draw(tmp_path / "train_images" / f"{number:012x}.png", 5 * number)
        lines.append(f"{number:012x},{grade}")
    (tmp_path / "train.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def load(root: Path) -> Dataset:
    return load_dataset({"source": "aptos2019", "root": str(root)})


def test_layout(root: Path, cache: Path) -> None:
    dataset = load(root)
    assert dataset.classes == ("0", "1", "2", "3", "4")
    assert dataset.targets().tolist() == GRADES
    assert dataset.ordered
    images = decoded_images(dataset, 16)
    assert images[:, 8, 8, 0].tolist() == [5 * number for number in range(len(GRADES))]
    parts = split_dataset(dataset, SplitSection()).parts
    assert all(
        set(np.array(parts)[np.array(GRADES) == grade]) == {"train", "validation", "test"}
        for grade in range(5)
    )


def test_the_shipped_recipe_reads_it(root: Path) -> None:
    recipe = load_recipe("aptos2019-kd", [f"data.root={root}"])
    assert load_dataset(recipe.data) == load(root)


def test_a_missing_table_is_named_with_its_place(root: Path) -> None:
    (root / "train.csv").unlink()
    with pytest.raises(InputError, match="does not look like APTOS 2019") as caught:
        load(root)
    assert str(root / "train.csv") in caught.value.message


@pytest.mark.parametrize("suffix", [".jpg", ".JPG", ".PNG", ".jpeg"])
def test_images_as_people_save_them_again(root: Path, suffix: str) -> None:
    (root / "train_images").rename(root / "Train_Images")
    for file in (root / "Train_Images").iterdir():
        file.rename(file.with_suffix(suffix))
    dataset = load(root)
    assert dataset.targets().tolist() == GRADES
    assert all(path.is_file() for path in dataset.paths())


def test_a_missing_image_is_named_with_its_place(root: Path) -> None:
    gone = root / "train_images" / f"{3:012x}.png"
    gone.unlink()
    with pytest.raises(ImageError, match=r"line 5 of .*train\.csv") as caught:
        load(root)
    assert gone.stem in caught.value.message
    assert str(root / "train_images") in caught.value.hint


@pytest.mark.parametrize(
    ("grade", "said"), [("5", "has the class '5'"), ("", "has no label"), ("mild", "'mild'")]
)
def test_what_is_no_grade_is_named(root: Path, grade: str, said: str) -> None:
    text = (root / "train.csv").read_text()
    (root / "train.csv").write_text(text.replace(f"{1:012x},0", f"{1:012x},{grade}"))
    with pytest.raises(InputError, match=f"line 3 of .*train.csv .*{said}"):
        load(root)


def test_a_table_of_something_else_is_refused(root: Path) -> None:
    (root / "train.csv").write_text("id_code,diagnose\na,0\n")
    with pytest.raises(InputError, match="no column 'diagnosis'") as caught:
        load(root)
    assert "did you mean 'diagnose'?" in caught.value.hint
