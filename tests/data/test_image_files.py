"""Image files, however a table writes their names."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest
from labelled_tables import EXPECTED, READERS, ROWS, Read, refusal, table, trained

from edgekd.bench.subjects.labelled import data_of_csv
from edgekd.errors import ImageError

COMPOSED = "häßlich"
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)


@READERS
@pytest.mark.parametrize(
    "name", ["a.jpg", "a", "./a.jpg", "x/../a.jpg", ".//a.jpg", ".\\a.jpg", "a.JPG", "{root}/a.jpg"]
)
def test_one_image_by_many_names(read: Read, root: Path, name: str) -> None:
    named = name.format(root=root)
    assert read(table(root, "image,label", f"{named},mel", *ROWS[1:])) == EXPECTED
    twice = refusal(read, table(root, "image,label", *ROWS, f"{named},mel"))
    assert "names the image a.jpg twice: on lines 2 and 6" in twice.message


@READERS
def test_one_image_by_the_links_to_its_folder(read: Read, root: Path) -> None:
    """A link to an image alone is one of an archive that keeps files by their content."""
    (root / "again").symlink_to(root)
    twice = refusal(read, table(root, "image,label", *ROWS, "again/a.jpg,nv"))
    assert "names the image again/a.jpg twice: on lines 2 and 6" in twice.message
    (root / "copy.jpg").symlink_to(root / "a.jpg")
    assert len(read(table(root, "image,label", *ROWS, "copy.jpg,mel"))) == len(ROWS) + 1


@READERS
@pytest.mark.parametrize("on_disk", [COMPOSED, DECOMPOSED])
@pytest.mark.parametrize("in_table", [COMPOSED, DECOMPOSED])
def test_letters_composed_and_decomposed(
    read: Read, root: Path, draw: Any, on_disk: str, in_table: str
) -> None:
    draw(root / on_disk / f"{on_disk}.JPG", 9)
    rows = (f"{in_table}/{in_table}.jpg,{in_table}", *ROWS[1:])
    file = table(root, "image,label", *rows)
    classes = {"classes": ("mel", "nv", COMPOSED)}
    assert read(file, **classes)[0] == (f"{on_disk}/{on_disk}.JPG", COMPOSED)


@READERS
def test_a_name_that_several_files_have(read: Read, root: Path, draw: Any) -> None:
    draw(root / "a.png", 9)
    error = refusal(read, table(root, "image,label", "a,mel", *ROWS[1:]))
    assert isinstance(error, ImageError)
    assert "'a' may be any of a.jpg, a.png" in error.message


def test_absolute_paths_of_images_elsewhere(root: Path, tmp_path_factory: Any) -> None:
    rows = [f"{root}/{row}" for row in ROWS]
    file = table(tmp_path_factory.mktemp("tables"), "image,label", *rows)
    assert trained(file) == [tuple(row.split(",")) for row in rows]
    paths = [path for path, _ in data_of_csv(file, ("mel", "nv")).images]
    assert paths == [Path(row.split(",")[0]) for row in rows]


@READERS
def test_every_missing_image_is_counted(read: Read, root: Path) -> None:
    rows = [f"gone{n}.jpg,nv" for n in range(9)]
    message = refusal(read, table(root, "image,label", *ROWS, *rows)).message
    assert "line 6 of" in message
    assert "(nor are 8 more: lines 7, 8, 9, 10, 11, …)" in message


@READERS
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("https://host/a.jpg", "fetch the images"),
        ("C:\\photos\\a.jpg", "relative to the folder"),
        ("x" * 300, "correct the line"),
        ("deep/" * 2000, "correct the line"),
    ],
)
def test_images_that_lie_elsewhere(read: Read, root: Path, name: str, said: str) -> None:
    assert said in refusal(read, table(root, "image,label", f"{name},mel", *ROWS[1:])).hint
