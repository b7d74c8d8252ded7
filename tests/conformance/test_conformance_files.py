"""The folder that vectors are written to."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekd.conformance.files import Folder


def test_files_are_added_with_their_folders(tmp_path: Path) -> None:
    assert Folder(tmp_path).add("a/b.bin", b"x") == "a/b.bin"
    assert (tmp_path / "a" / "b.bin").read_bytes() == b"x"


def test_a_name_is_of_one_content(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert folder.add("a", b"x") == folder.add("a", b"x")
    with pytest.raises(ValueError, match="two files"):
        folder.add("a", b"y")
