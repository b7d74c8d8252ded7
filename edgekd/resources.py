"""Shipped recipes, spaces, policies and targets: inside an installed wheel, or in the checkout."""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "policy_files",
    "recipe_file",
    "recipe_names",
    "space_file",
    "space_names",
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


def target_folders() -> list[Path]:
    """Folders of the shipped targets, each with a `target.toml`."""
    for home in (_PACKAGE / "_targets", _PACKAGE.parent / "targets"):
        if home.is_dir():
            return sorted(file.parent for file in home.glob("*/target.toml"))
    return []
