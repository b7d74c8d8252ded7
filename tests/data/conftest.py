"""Small data sets on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgekd.data.synthetic import write_dataset


@pytest.fixture(scope="session")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seventy painted images in the layout of HAM10000; not to be changed."""
    return write_dataset(tmp_path_factory.mktemp("painted") / "set", images=70, seed=3, size=32)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own."""
    monkeypatch.setenv("EDGEKD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def draw() -> Callable[[Path, int], None]:
    """Writes a small image of one grey level, by the suffix of its path."""

    def write(file: Path, level: int) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(file), np.full((40, 40, 3), level, np.uint8))

    return write


@pytest.fixture
def root(tmp_path: Path, draw: Any) -> Path:
    """A folder with a.jpg to d.jpg."""
    for number, name in enumerate("abcd"):
        draw(tmp_path / f"{name}.jpg", 40 * number)
    return tmp_path
