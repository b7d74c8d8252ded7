"""A bundle that is not certified, and labelled photos."""

from __future__ import annotations

from pathlib import Path

import pytest
from certifying import write_labelled, write_uncertified


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle in int8 with its float student."""
    return write_uncertified(tmp_path / "bundle")


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """90 photos of 45 patients, whose answer is plain."""
    return write_labelled(tmp_path_factory.mktemp("labelled"), patients=45)
