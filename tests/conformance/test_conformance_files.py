"""The folder that vectors are written to."""

from __future__ import annotations

from pathlib import Path

from edgekd.conformance.files import Folder


def test_files_are_added_with_their_folders(tmp_path: Path) -> None:
    assert Folder(tmp_path).add("a/b.bin", b"x") == "a/b.bin"
    assert (tmp_path / "a" / "b.bin").read_bytes() == b"x"
