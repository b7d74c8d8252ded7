"""Painted images of the self-test: the same each time, of any size, without labels."""

from __future__ import annotations

import numpy as np
import pytest

from edgekd.lower.shipped.painted import PAINTED_IMAGES, painted_images, painted_split


@pytest.mark.parametrize("size", [16, 64])
def test_images_of_a_students_size_are_painted_the_same_each_time(size: int) -> None:
    images = painted_images(size)
    assert images.shape == (PAINTED_IMAGES, size, size, 3)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, painted_images(size))
    assert len(np.unique(images.reshape(PAINTED_IMAGES, -1), axis=0)) == PAINTED_IMAGES
    assert PAINTED_IMAGES >= 16  # as many as a bundle needs


def test_they_are_a_data_set_of_one_part() -> None:
    split = painted_split(3, ("mel", "nv"), "classification")
    assert split.indices("validation") == [0, 1, 2]
    assert split.indices("train") == split.indices("test") == []
    assert "painted" in split.dataset.name
