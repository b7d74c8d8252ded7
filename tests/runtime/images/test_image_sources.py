"""Paths, bytes, files and arrays: all give the same pixels, or say what to do."""

from __future__ import annotations

import asyncio
import io
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jpegs import encode, make_image
from pictures import refusal

from edgekd.errors import ImageError
from edgekd.runtime.images import sources
from edgekd.runtime.preprocess import load_image

JPEG = encode(make_image(60, 40))
EXPECTED = load_image(JPEG, 32)


class Dripping(io.BytesIO):
    """A file that gives less than is asked for."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(100)


class Broken(io.BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        raise RuntimeError("the connection\nwas reset")


class Asynchronous:
    def read(self, size: int) -> asyncio.Future[bytes]:
        return asyncio.get_running_loop().create_future()


@pytest.mark.parametrize(
    "source", [JPEG, bytearray(JPEG), memoryview(JPEG), io.BytesIO(JPEG), Dripping(JPEG)]
)
def test_bytes_and_files_give_the_same(source: Any) -> None:
    np.testing.assert_array_equal(load_image(source, 32), EXPECTED)


def test_paths_and_open_files_give_the_same(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"before" + JPEG)
    with path.open("rb") as file:
        file.seek(6)
        np.testing.assert_array_equal(load_image(file, 32), EXPECTED)
    path.write_bytes(JPEG)
    for source in (path, str(path), os.fspath(path)):
        np.testing.assert_array_equal(load_image(source, 32), EXPECTED)


def test_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(JPEG,))
    writer.start()
    np.testing.assert_array_equal(load_image(pipe, 32), EXPECTED)
    writer.join()


def test_files_that_give_no_bytes(tmp_path: Path) -> None:
    assert "gives str, not bytes" in refusal(io.StringIO("text")).message
    assert refusal(Broken()).message.endswith("RuntimeError: the connection was reset")
    closed = io.BytesIO(JPEG)
    closed.close()
    assert "cannot be read: ValueError" in refusal(closed).message
    path = tmp_path / "empty.jpg"
    path.touch()
    with path.open("rb") as file:
        assert refusal(file).message == f"{path} is empty"


def test_asynchronous_file_is_refused_in_words() -> None:
    async def refused() -> ImageError:
        return refusal(Asynchronous())

    error = asyncio.run(refused())
    assert "gives Future, not bytes" in error.message
    assert "await" in error.hint


@pytest.mark.parametrize("source", [None, 3, [1, 2], object(), {"a": 1}])
def test_what_is_no_image_is_refused(source: Any) -> None:
    assert refusal(source).message == f"a {type(source).__name__} is no image"


def test_path_that_cannot_exist() -> None:
    assert "cannot be read: embedded null" in refusal("a\0b").message


def test_too_long_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "long.jpg"
    with path.open("wb") as file:
        file.truncate(sources.MAX_BYTES + 1)
    words = f"has more than {sources.MAX_BYTES} bytes"
    assert words in refusal(path).message
    with path.open("rb") as file:
        assert words in refusal(file).message
    assert words in refusal(memoryview(bytes(sources.MAX_BYTES + 1))).message
    assert words in refusal(bytes(sources.MAX_BYTES + 1)).message


def test_endless_file_is_refused() -> None:
    assert f"has more than {sources.MAX_BYTES} bytes" in refusal("/dev/zero").message


@pytest.mark.parametrize(
    ("array", "hint"),
    [(np.zeros((8, 8), np.uint8), "np.dstack"), (np.zeros((8, 8, 1), np.uint8), "np.dstack"),
     (np.zeros((8, 8, 4), np.uint8), "[..., :3]"), (np.zeros((1, 8, 8, 3), np.uint8), "array[0]"),
     (np.zeros((0, 8, 3), np.uint8), "no pixel"), (np.zeros((8, 8, 3), bool), "as uint8")],
)  # fmt: skip
def test_wrong_arrays_are_told_what_to_do(array: Any, hint: str) -> None:
    assert hint in refusal(array).hint


PIXELS = make_image(8, 8)


@pytest.mark.parametrize(
    "array",
    [PIXELS / 255, (PIXELS / 255).astype(np.float16), PIXELS.astype(np.float32), PIXELS * 1.0,
     PIXELS + 0.3, PIXELS.astype(np.uint16), PIXELS.astype(np.int64), PIXELS.astype(np.int8) >> 1,
     PIXELS.astype(np.uint16) * 257, PIXELS.astype(np.uint16) << 2, PIXELS.astype(np.uint16) << 4,
     PIXELS.astype(np.int32) << 6, np.zeros((8, 8, 3), np.float32),
     np.zeros((8, 8, 3), int)],
    ids=lambda array: f"{array.dtype} to {array.max():.3g}",
)  # fmt: skip
def test_what_the_hint_says_gives_the_photo_back(array: Any) -> None:
    """Whatever range the numbers are in, the line of Python in the hint makes the photo of them."""
    array = np.abs(array) if array.dtype == np.int8 else array
    hint = refusal(array).hint
    found = eval(hint.rpartition(": ")[2], {"array": array, "np": np})
    assert (found.dtype, found.shape) == (np.uint8, (8, 8, 3))
    if array.dtype == np.int8 or not array.any():
        np.testing.assert_array_equal(found, array)
    else:
        assert np.abs(found.astype(int) - PIXELS).max() <= 1
    load_image(found, 8)


def test_a_little_beyond_1_is_still_a_share() -> None:
    """As interpolation leaves it; rounded, it would be black and white."""
    array = PIXELS / 200
    assert 1 < array.max() < 2
    found = eval(refusal(array).hint.rpartition(": ")[2], {"array": array, "np": np})
    np.testing.assert_array_equal(found, np.round(array.clip(0, 1) * 255))


@pytest.mark.parametrize(
    "array",
    [(PIXELS / 255 - 0.5) / 0.2, PIXELS * np.nan, np.where(PIXELS > 40, PIXELS, np.inf),
     PIXELS.astype(np.int64) - 300, PIXELS * 1e6],
)  # fmt: skip
def test_numbers_that_are_no_colours_are_not_to_be_scaled(array: Any) -> None:
    hint = refusal(array).hint
    assert "no colours" in hint
    assert "array" not in hint


def test_masked_pixels_are_no_photo() -> None:
    whole = np.ma.masked_array(PIXELS, mask=False)
    np.testing.assert_array_equal(load_image(whole, 8), load_image(PIXELS, 8))
    assert "masked" in refusal(np.ma.masked_array(PIXELS, mask=PIXELS > 200)).message


def test_an_endless_array_of_numbers_is_not_searched() -> None:
    endless = np.broadcast_to(np.zeros((1, 1, 3), np.float32), (100_000, 100_000, 3))
    assert "as uint8" in refusal(endless).hint


def test_array_without_memory_of_its_own_is_no_bomb() -> None:
    endless = np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (100_000, 100_000, 3))
    assert "more than" in refusal(endless).message
