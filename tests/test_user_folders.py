"""Where the user's cache and settings are."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest

from edgekd.errors import InputError
from edgekd.user_folders import cache_folder, config_folder, students_folder


def test_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EDGEKD_CACHE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)

    def unknown(_: int) -> NoReturn:
        raise KeyError("uid not found")

    monkeypatch.setattr("pwd.getpwuid", unknown)
    with pytest.raises(InputError, match="no home folder"):
        cache_folder()
    assert config_folder() is None


def test_students_are_where_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGEKD_STUDENTS", raising=False)
    assert students_folder() is None
    monkeypatch.setenv("EDGEKD_STUDENTS", "mine")
    assert students_folder() == Path("mine")
