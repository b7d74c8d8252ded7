"""Images are known again by their bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from edgekd.data.image_hashes import image_hashes
from edgekd.errors import ImageError


def test_copies_have_the_hash_of_the_original(tmp_path: Path) -> None:
    contents = [b"one", b"two", b"one"]
    paths = [tmp_path / f"{n}.jpg" for n in range(3)]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    assert image_hashes(paths) == [hashlib.sha256(content).hexdigest() for content in contents]
    assert image_hashes([]) == []


def test_a_missing_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"gone\.jpg"):
        image_hashes([tmp_path / "gone.jpg"])
