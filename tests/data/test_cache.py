from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekd.data import Dataset, Sample, cache_folder, dataset_of, decode_images, decoded
from edgekd.errors import ImageError
from edgekd.runtime.preprocess import load_image


@pytest.fixture
def dataset(tmp_path: Path, draw: Any) -> Dataset:
    samples = [Sample(f"{n}.png", "ab"[n % 2], str(n)) for n in range(6)]
    for number, sample in enumerate(samples):
        draw(tmp_path / "set" / sample.image, 30 * number)
    return dataset_of("x", tmp_path / "set", samples)


def files(cache: Path) -> list[Path]:
    return [path for path in cache.rglob("*") if path.is_file()]


def test_decodes_by_the_one_rule_in_order(cache: Path, dataset: Dataset) -> None:
    images = decoded(dataset, 16)
    assert images.shape == (6, 16, 16, 3)
    assert images.dtype == np.uint8
    for path, image in zip(dataset.paths(), images, strict=True):
        np.testing.assert_array_equal(image, load_image(path, 16))


def test_second_call_reads_the_file(cache: Path, dataset: Dataset) -> None:
    calls: list[tuple[int, int]] = []
    first = np.array(decoded(dataset, 16, lambda done, of: calls.append((done, of))))
    assert calls == [(n, 6) for n in range(1, 7)]
    (file,) = files(cache)
    stamp = file.stat().st_mtime_ns
    again = decoded(dataset, 16, lambda done, of: pytest.fail("decoded again"))
    np.testing.assert_array_equal(again, first)
    assert file.stat().st_mtime_ns == stamp


def test_mapped_images_cannot_be_written(cache: Path, dataset: Dataset) -> None:
    images = decoded(dataset, 16)
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


def test_another_size_is_another_file(cache: Path, dataset: Dataset) -> None:
    decoded(dataset, 16)
    assert decoded(dataset, 20).shape == (6, 20, 20, 3)
    assert len(files(cache)) == 2


def test_changed_image_is_decoded_again(cache: Path, dataset: Dataset, draw: Any) -> None:
    decoded(dataset, 16)
    path = dataset.paths()[2]
    draw(path, 255)
    os.utime(path, ns=(1, 1))
    assert (decoded(dataset, 16)[2] == 255).all()
    assert len(files(cache)) == 2


def test_images_of_one_name_in_two_folders_are_told_apart(
    tmp_path: Path, cache: Path, draw: Any
) -> None:
    samples = [Sample("a/1.bmp", "a", "1"), Sample("b/1.bmp", "b", "2")]
    for sample, level in zip(samples, (10, 200), strict=True):
        draw(tmp_path / sample.image, level)  # of one size, as bitmaps are
        os.utime(tmp_path / sample.image, (1_000, 1_000))
    for order in (samples, samples[::-1]):
        images = decoded(dataset_of("x", tmp_path, order), 16)
        levels = [int(image[0, 0, 0]) for image in images]
        labels = [sample.label for sample in order]
        assert dict(zip(labels, levels, strict=True)) == {"a": 10, "b": 200}


@pytest.mark.parametrize("damage", ["truncate", "remove", "empty"])
def test_damaged_image_leaves_nothing_half_written(
    cache: Path, dataset: Dataset, damage: str
) -> None:
    path = dataset.paths()[4]
    if damage == "remove":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: 60 if damage == "truncate" else 0])
    with pytest.raises(ImageError, match=r"4\.png"):
        decoded(dataset, 16)
    assert not files(cache)


def test_decode_images_of_no_paths() -> None:
    assert decode_images([], 16).shape == (0, 16, 16, 3)


def test_place_of_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKD_CACHE", "/a")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    assert cache_folder() == Path("/a")
    monkeypatch.delenv("EDGEKD_CACHE")
    assert cache_folder() == Path("/b/edgekd")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/c")
    assert cache_folder() == Path("/c/.cache/edgekd")
