"""Images that are decoded when they are taken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekd.data import decode_images, load_dataset
from edgekd.data.decoded.on_demand import ImagesOnDemand


@pytest.fixture
def paths(painted: Path) -> list[Path]:
    return load_dataset({"source": "ham10000", "root": str(painted)}).paths()


def test_rows_are_those_of_the_whole_array(paths: list[Path]) -> None:
    images, whole = ImagesOnDemand(paths, 16), decode_images(paths, 16)
    assert (len(images), images.shape, images.dtype) == (70, whole.shape, whole.dtype)
    rows = np.array([5, 2, 69])
    assert (images[rows] == whole[rows]).all()
    assert (images[:2] == whole[:2]).all()
    out = np.empty((3, 16, 16, 3), np.uint8)
    np.take(images, rows, axis=0, out=out, mode="clip")  # as the loader takes them
    assert (out == whole[rows]).all()
    assert images.decoded == 8
    assert images.seconds > 0
