from __future__ import annotations

import numpy as np
import pytest

from edgekd.data.contact_sheet import contact_sheet
from edgekd.errors import InputError


def test_contact_sheet_fits_images_of_any_shape_uncropped() -> None:
    wide = np.zeros((10, 40, 3), np.uint8)
    tall = np.zeros((90, 30, 3), np.uint8)
    sheet = contact_sheet([wide, tall, wide], ["", "", ""], 2, tile=24)
    assert sheet.shape == (2 * (24 + 22) + 4, 2 * (24 + 4) + 4, 3)
    black = (sheet == 0).all(axis=2)
    assert black[:, 4:28].sum() == 2 * 24 * 6
    assert black[:, 32:56].sum() == 8 * 24


@pytest.mark.parametrize(
    ("count", "labels", "columns", "tile"), [(0, 0, 2, 8), (2, 1, 2, 8), (1, 1, 0, 8), (1, 1, 1, 0)]
)
def test_contact_sheet_refuses(count: int, labels: int, columns: int, tile: int) -> None:
    images = [np.zeros((8, 8, 3), np.uint8)] * count
    with pytest.raises(InputError):
        contact_sheet(images, ["x"] * labels, columns, tile=tile)


def test_contact_sheet_places_every_image() -> None:
    wide = np.full((20, 40, 3), (200, 10, 10), dtype=np.uint8)
    small = np.full((8, 8, 3), (10, 200, 10), dtype=np.uint8)
    sheet = contact_sheet([wide, small, wide], ["mel", "a very long label", "nv"], 2, tile=32)
    assert sheet.shape == (2 * 54 + 4, 2 * 36 + 4, 3)
    assert sheet.dtype == np.uint8
    assert tuple(sheet[4 + 18 + 16, 4 + 16]) == (200, 10, 10)
    assert tuple(sheet[4 + 18 + 16, 40 + 16]) == (10, 200, 10)
    assert (sheet[:22, 4:36] < 100).any(), "the label is written"
    assert (sheet[:, 72:] == 255).all(), "a long label stays on its tile"
