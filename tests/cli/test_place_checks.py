"""Outputs that cannot be written are refused before the work."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekd.cli.place_checks import check_file_place, check_folder_place
from edgekd.errors import InputError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_places_that_can_be_written_are_left_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"old")
    for place in (tmp_path / "f", tmp_path / "new", tmp_path / "a" / "b" / "new"):
        check_file_place(place)
    for place in (tmp_path, tmp_path / "new", tmp_path / "a" / "b"):
        check_folder_place(place)
    assert names(tmp_path) == ["f"]


def test_places_that_cannot_be_written_are_told(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"mine")
    for place in (tmp_path, tmp_path / "f" / "x", tmp_path / "f" / "y" / "x", Path("a\0b")):
        with pytest.raises(InputError, match="cannot write"):
            check_file_place(place)
    for place in (tmp_path / "f", tmp_path / "f" / "x", tmp_path / "f" / "y" / "x"):
        with pytest.raises(InputError, match="cannot write"):
            check_folder_place(place)
    assert names(tmp_path) == ["f"]
