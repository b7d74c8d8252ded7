"""Images without labels: which ones a recipe's data name, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgekd.data import Dataset, Sample, Split
from edgekd.data.sources import load_dataset
from edgekd.data.unlabelled import unlabelled_images
from edgekd.errors import InputError


def write(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(file)
    return file


@pytest.fixture
def split(tmp_path: Path) -> Split:
    """Six images of five groups; one group is in the test part and left out as well."""
    groups = ("a", "b", "c", "d", "e", "c")
    parts = ("train", "validation", "test", "unused", "unused", "unused")
    samples = [
        Sample(write(tmp_path / f"{n}.png").name, "x", g) for n, g in enumerate(groups)
    ]  # fmt: skip
    return Split(Dataset("six", tmp_path, ("x", "y"), tuple(samples)), parts)


def names(split: Split, **section: object) -> list[str]:
    found = unlabelled_images({"unlabelled": section}, split)
    assert found is not None
    assert not any(found.labels())
    return [path.name for path in found.paths()]


def test_a_recipe_without_the_key_has_none(split: Split) -> None:
    assert unlabelled_images({"source": "synthetic"}, split) is None


def test_images_that_are_left_out_but_for_the_groups_that_judge(split: Split) -> None:
    assert names(split, left_out=True) == ["3.png", "4.png"]


def test_a_folder_without_what_the_data_set_lists(split: Split, tmp_path: Path) -> None:
    write(tmp_path / "more" / "deep" / "7.JPG")
    write(tmp_path / ".trash" / "8.png")
    (tmp_path / "notes.txt").write_text("no image")
    assert names(split, folder=str(tmp_path)) == ["7.JPG"]
    assert names(split, folder=str(tmp_path), left_out=True) == ["3.png", "4.png", "7.JPG"]


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({}, "names no images"),
        ({"folder": "missing"}, "missing is missing"),
        ({"folder": "empty"}, "has no images"),
        ({"folder": "."}, "only images that the data set lists"),
        ({"left_out": True}, "leaves none out"),
        ({"left": True}, "left"),
    ],
)
def test_no_images_are_refused_in_words(
    section: dict[str, object], words: str, split: Split, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    whole = Split(split.dataset, ("train",) * 5 + ("test",))
    with pytest.raises(InputError, match=words):
        unlabelled_images({"unlabelled": section}, whole)


def test_the_key_is_checked_with_the_data() -> None:
    data = {"source": "synthetic", "images": 30, "size": 16, "unlabelled": {"folders": "x"}}
    with pytest.raises(InputError, match="folders"):
        load_dataset(data)
