"""Shipped recipes, spaces, policies, students, targets: in an installed wheel or the checkout."""

from __future__ import annotations

from pathlib import Path

from edgekd.errors import InputError
from edgekd.user_folders import students_folder

__all__ = [
    "checkpoint_place",
    "policy_files",
    "recipe_file",
    "recipe_names",
    "space_file",
    "space_names",
    "student_folder",
    "student_folders",
    "target_folders",
]

_PACKAGE = Path(__file__).resolve().parent


def recipe_file(name: str) -> Path | None:
    """The shipped recipe of that name, or None."""
    file = _PACKAGE / "recipes" / f"{name}.yaml"
    return file if file.is_file() else None


def recipe_names() -> list[str]:
    """Names of the shipped recipes."""
    return sorted(file.stem for file in (_PACKAGE / "recipes").glob("*.yaml"))


def space_file(name: str) -> Path | None:
    """The shipped search space of that name, or None."""
    file = _PACKAGE / "spaces" / f"{name}.yaml"
    return file if file.is_file() else None


def space_names() -> list[str]:
    """Names of the shipped search spaces."""
    return sorted(file.stem for file in (_PACKAGE / "spaces").glob("*.yaml"))


def policy_files() -> dict[str, Path]:
    """Files of the shipped policies, by name."""
    return {file.stem: file for file in sorted((_PACKAGE / "policies").glob("*.toml"))}


def student_folders() -> dict[str, Path]:
    """Folders of the shipped students, and of those in `EDGEKD_STUDENTS`, by name.

    Where both have one of a name, it is the shipped one.
    """
    homes = [home for home in (students_folder(), _PACKAGE / "students") if home is not None]
    folders = [place.parent for home in homes for place in sorted(home.glob("*/certificates"))]
    return {folder.name: folder for folder in folders}


def student_folder(name: str) -> Path:
    """The folder of the student of that name.

    Raises:
        InputError: There is none.
    """
    folders = student_folders()
    if name not in folders:
        known = ", ".join(sorted(folders))
        hint = f"one of: {known}" if known else "this edgekd ships none; EDGEKD_STUDENTS names more"
        raise InputError(f"there is no student {name!r}", hint)
    return folders[name]


def checkpoint_place(place: str | Path) -> Path:
    """Where a checkpoint or bundle is that is given by its path, or by a student's name.

    What is there at the path is taken, also where a student has the same name.
    """
    path = Path(place)
    return path if path.exists() else student_folders().get(str(place), path)


def target_folders() -> list[Path]:
    """Folders of the shipped targets, each with a `target.toml`."""
    for home in (_PACKAGE / "_targets", _PACKAGE.parent / "targets"):
        if home.is_dir():
            return sorted(file.parent for file in home.glob("*/target.toml"))
    return []
