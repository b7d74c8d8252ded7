"""The hash of a data set's image files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgekd.data import Dataset, Sample, dataset_of
from edgekd.data.decoded import content, content_of
from edgekd.errors import ImageError


def dataset(root: Path, names: list[str]) -> Dataset:
    return dataset_of("x", root, [Sample(n, "ab"[i % 2], n) for i, n in enumerate(names)])


def test_the_hash_is_that_of_the_bytes_in_order(cache: Path, root: Path, draw: Any) -> None:
    first = content_of(dataset(root, ["a.jpg", "b.jpg"]))
    assert first.paths == (root / "a.jpg", root / "b.jpg")
    assert content_of(dataset(root, ["b.jpg", "a.jpg"])).sha256 != first.sha256
    (root / "copy").mkdir()
    for old, new in (("a.jpg", "x.jpg"), ("b.jpg", "y.jpg")):
        (root / "copy" / new).write_bytes((root / old).read_bytes())
    assert content_of(dataset(root / "copy", ["x.jpg", "y.jpg"])).sha256 == first.sha256
    draw(root / "b.jpg", 250)
    assert content_of(dataset(root, ["a.jpg", "b.jpg"])).sha256 != first.sha256


def test_more_files_than_one_thread_takes_at_once(
    cache: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{name}.jpg" for name in "abcd"]
    together = content._digest_of(tuple(root / name for name in names))
    monkeypatch.setattr(content, "_FILES_AT_ONCE", 3)
    assert content_of(dataset(root, names)).sha256 == together


def test_files_are_read_once(cache: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = content_of(dataset(root, ["a.jpg", "b.jpg"]))
    monkeypatch.setattr(content, "sha256_of", lambda path: pytest.fail("read again"))
    assert content_of(dataset(root, ["a.jpg", "b.jpg"])) == known


def test_a_missing_image_is_named(cache: Path, root: Path) -> None:
    data = dataset(root, ["a.jpg", "b.jpg"])
    (root / "b.jpg").unlink()
    with pytest.raises(ImageError, match=r"b\.jpg cannot be read: No such file"):
        content_of(data)
