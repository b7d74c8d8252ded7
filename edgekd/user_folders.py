"""Folders of the user: the cache, the settings, and students by name."""

from __future__ import annotations

import os
from pathlib import Path

from edgekd.errors import InputError

__all__ = ["cache_folder", "config_folder", "students_folder"]


def cache_folder() -> Path:
    """The user's cache: `EDGEKD_CACHE`, else `edgekd` below `XDG_CACHE_HOME` or `~/.cache`.

    Raises:
        InputError: None of them is set, and the user has no home folder.
    """
    if folder := os.environ.get("EDGEKD_CACHE"):
        return Path(folder)
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared) / "edgekd"
    home = _home()
    if home is None:
        message = "this user has no home folder, so there is no place for the cache"
        raise InputError(message, "set EDGEKD_CACHE to a folder that can be written")
    return home / ".cache" / "edgekd"


def config_folder() -> Path | None:
    """The user's settings, below `XDG_CONFIG_HOME` or `~/.config`; None without a home folder."""
    if shared := os.environ.get("XDG_CONFIG_HOME"):
        return Path(shared) / "edgekd"
    home = _home()
    return None if home is None else home / ".config" / "edgekd"


def students_folder() -> Path | None:
    """The user's folder of students that are called by name: `EDGEKD_STUDENTS`; None unless set."""
    folder = os.environ.get("EDGEKD_STUDENTS")
    return Path(folder) if folder else None


def _home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:  # the system has no entry for this user, as in some containers
        return None
