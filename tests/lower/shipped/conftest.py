"""Copies of the shipped student that may be changed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekd.seals import seal_files


@pytest.fixture
def copy(students: Path, tmp_path: Path) -> Path:
    """The shipped student, to be changed."""
    return Path(shutil.copytree(students / "tiny-student", tmp_path / "students" / "tiny-student"))


@pytest.fixture
def reseal() -> Callable[[Path], None]:
    """Seal a student's folder as it is now, as if it had been shipped so."""

    def seal(folder: Path) -> None:
        (folder / "seal.json").unlink()
        files = [file for file in folder.rglob("*") if file.is_file()]
        seal_files(folder, [file.relative_to(folder).as_posix() for file in files])

    return seal
