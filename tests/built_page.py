"""The page that `make browser` builds, and Chromium; a test that needs them skips without them."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekd.errors import MissingDependencyError
from edgekd.page import page_folder
from edgekd.page.chromium import find_chromium

__all__ = ["built_page"]


def built_page() -> Path:
    """The folder of the page of this checkout."""
    try:
        find_chromium()
        return page_folder()
    except MissingDependencyError as error:
        pytest.skip(f"{error.message}: {error.hint}")
