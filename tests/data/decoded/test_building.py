"""Decoding blocks of images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edgekd.data.decoded.building import decode_block
from edgekd.runtime.preprocess import load_image


def test_images_of_all_sizes(root: Path) -> None:
    paths = sorted(root.glob("*.jpg"))
    arrays, damaged = decode_block(paths, (8, 12))
    assert not damaged
    for size, images in zip((8, 12), arrays, strict=True):
        for path, image in zip(paths, images, strict=True):
            np.testing.assert_array_equal(image, load_image(path, size))


def test_every_damaged_image_is_named(root: Path, draw: Any) -> None:
    (root / "a.jpg").write_bytes(b"")
    (root / "c.jpg").unlink()
    _, damaged = decode_block(sorted([*root.glob("*.jpg"), root / "c.jpg"]), (8,))
    assert [name for name, _ in damaged] == [str(root / "a.jpg"), str(root / "c.jpg")]
