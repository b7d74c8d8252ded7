from __future__ import annotations

from pathlib import Path

import pytest

from edgekd import resources
from edgekd.errors import InputError
from edgekd.resources import (
    checkpoint_place,
    policy_files,
    recipe_file,
    recipe_names,
    student_folder,
    student_folders,
    target_folders,
)


def test_recipes_are_found_by_name() -> None:
    assert {"demo", "ham10000-kd"} <= set(recipe_names())
    for name in recipe_names():
        file = recipe_file(name)
        assert file is not None
        assert file.is_file()


def test_recipe_that_is_not_there_or_no_name() -> None:
    assert recipe_file("absent") is None
    assert recipe_file("") is None


def test_policies_are_found() -> None:
    assert {"dermoscopy", "fundus", "none"} <= set(policy_files())
    assert all(file.is_file() for file in policy_files().values())


def test_targets_are_found() -> None:
    assert {"android", "cpu", "jetson", "rpi"} <= {folder.name for folder in target_folders()}
    assert all((folder / "target.toml").is_file() for folder in target_folders())


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the user's students with one, beside a checkpoint that is none."""
    (tmp_path / "mine" / "certificates").mkdir(parents=True)
    (tmp_path / "checkpoint").mkdir()
    monkeypatch.setenv("EDGEKD_STUDENTS", str(tmp_path))
    return tmp_path


def test_students_are_found_by_name(mine: Path) -> None:
    assert student_folder("mine") == mine / "mine"
    assert "checkpoint" not in student_folders()
    with pytest.raises(InputError, match="no student 'other'") as caught:
        student_folder("other")
    assert "mine" in caught.value.hint


def test_a_shipped_student_keeps_its_name(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = mine / "package"
    (package / "students" / "mine" / "certificates").mkdir(parents=True)
    monkeypatch.setattr(resources, "_PACKAGE", package)
    assert student_folder("mine") == package / "students" / "mine"


def test_a_checkpoint_is_at_its_path_or_of_its_name(
    mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(mine)
    assert checkpoint_place("checkpoint") == Path("checkpoint")
    assert checkpoint_place("absent") == Path("absent")
    assert checkpoint_place(Path("mine")) == Path("mine")  # it is there
    (mine / "elsewhere").mkdir()
    monkeypatch.chdir(mine / "elsewhere")
    assert checkpoint_place(Path("mine")) == mine / "mine"
