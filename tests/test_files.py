"""Whole or not at all, and nothing left beside."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from edgekd.errors import InputError
from edgekd.files import sha256_of, whole_file, whole_folder, write_whole


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_half(file: Path, stop: type[BaseException]) -> None:
    file.write_bytes(b"half")
    raise stop


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_hash_of_a_file(tmp_path: Path, size: int) -> None:
    content = bytes(size)
    (tmp_path / "f").write_bytes(content)
    assert sha256_of(tmp_path / "f") == hashlib.sha256(content).hexdigest()


def test_write_makes_parents_and_replaces(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b" / "f.txt"
    write_whole(file, "grün\n")
    assert file.read_bytes() == "grün\n".encode()
    write_whole(file, b"\x00\xff")
    assert file.read_bytes() == b"\x00\xff"
    assert names(file.parent) == ["f.txt"]


def test_place_is_untouched_until_the_block_ends(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"old")
    with whole_file(file) as beside:
        beside.write_bytes(b"new")
        assert beside.parent == tmp_path
        assert file.read_bytes() == b"old"
    assert file.read_bytes() == b"new"
    assert names(tmp_path) == ["f"]


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("there", [True, False])
def test_interrupted_file(tmp_path: Path, stop: type[BaseException], there: bool) -> None:
    file = tmp_path / "f"
    if there:
        file.write_bytes(b"old")
    with pytest.raises(stop), whole_file(file) as beside:
        write_half(beside, stop)
    assert names(tmp_path) == (["f"] if there else [])
    assert not there or file.read_bytes() == b"old"


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("there", [True, False])
def test_interrupted_folder(tmp_path: Path, stop: type[BaseException], there: bool) -> None:
    folder = tmp_path / "d"
    if there:
        folder.mkdir()
        (folder / "old").write_bytes(b"old")
    with pytest.raises(stop), whole_folder(folder) as beside:
        write_half(beside / "half", stop)
    assert names(tmp_path) == (["d"] if there else [])
    assert not there or names(folder) == ["old"]


def test_folder_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    for content in ("one", "two"):
        with whole_folder(tmp_path / "a" / "d") as beside:
            assert names(beside) == []
            (beside / content).mkdir()
    assert names(tmp_path / "a" / "d") == ["two"]
    assert names(tmp_path / "a") == ["d"]


def test_old_folder_is_put_back_where_the_new_one_cannot_be(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "old").write_bytes(b"old")
    with pytest.raises(FileNotFoundError), whole_folder(folder) as beside:
        beside.rmdir()  # so that the last rename fails
    assert names(tmp_path) == ["d"]
    assert names(folder) == ["old"]


def test_parent_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"")
    for place in (tmp_path / "f" / "x", tmp_path / "f" / "y" / "x"):
        with pytest.raises(InputError, match="cannot make the folder"):
            write_whole(place, b"")
        with pytest.raises(InputError, match="cannot make the folder"), whole_folder(place):
            pass


def test_kind_of_what_is_there_is_not_changed(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "f").write_bytes(b"mine")
    with pytest.raises(InputError, match="is a folder, not a file"):
        write_whole(tmp_path / "d", b"")
    with pytest.raises(InputError, match="is a file, not a folder"), whole_folder(tmp_path / "f"):
        pass
    assert names(tmp_path) == ["d", "f"]
    assert (tmp_path / "f").read_bytes() == b"mine"
