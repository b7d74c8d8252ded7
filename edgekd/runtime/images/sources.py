"""The encoded bytes of an image from a path, bytes, or an open file."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgekd.errors import ImageError
from edgekd.runtime.images.header import MAX_BYTES, MAX_PIXELS

__all__ = ["BinaryFile", "ImageSource", "checked_array", "read_source"]


class BinaryFile(Protocol):
    """An object that is read like a file opened with mode `rb`."""

    def read(self, size: int, /) -> bytes:
        """At most `size` of the remaining bytes; empty at the end."""


ImageSource = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryFile | NDArray[np.uint8]
)
"""A path, encoded bytes, a binary file object (read from its current position), or an RGB array
uint8 [H, W, 3]."""


def read_source(source: Any) -> tuple[bytes, str]:
    """The encoded bytes of a source that is not an array, and its name for messages.

    Raises:
        ImageError: It cannot be read, is too large, or is of an unsupported type.
    """
    if isinstance(source, bytes):
        return source, "the image"
    if isinstance(source, bytearray | memoryview):
        _refuse_length(memoryview(source).nbytes, "the image")
        return bytes(source), "the image"  # a copy, which cannot change after the checks
    if isinstance(source, str | os.PathLike):
        return _read_path(Path(source)), str(source)
    if callable(getattr(source, "read", None)):
        name = getattr(source, "name", None)
        name = name if isinstance(name, str) else "the image"
        return _read_file(source, name), name
    message = f"a {type(source).__name__} is no image"
    raise ImageError(message, "give a path, encoded bytes, a binary file, or np.asarray(RGB image)")


def checked_array(array: NDArray[Any]) -> NDArray[np.uint8]:
    """The array, unchanged, if it is an RGB image.

    Raises:
        ImageError: It is not uint8 [H, W, 3], is empty, or too large.
    """
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        message = f"the array is {array.dtype} {list(array.shape)}, not uint8 [H, W, 3]"
        raise ImageError(message, _array_hint(array))
    if np.any(getattr(array, "mask", False)):  # of numpy's masked arrays
        message = "some pixels of the array are masked, and what lies under them is not the photo"
        raise ImageError(message, "fill them, or give the photo itself: array.data")
    if array.shape[0] * array.shape[1] > MAX_PIXELS:
        message = f"the array is {list(array.shape)}, more than {MAX_PIXELS} pixels"
        raise ImageError(message, "scale it down first")
    return array


def _array_hint(array: NDArray[Any]) -> str:
    if 0 in array.shape:
        return "there is no pixel in it"
    if array.ndim == 4 and array.shape[0] == 1:
        return "give one image: array[0]"
    if array.dtype != np.uint8 and array.dtype.kind in "uif":
        return _number_hint(array)
    if array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 1):
        return "repeat the grey channel: np.dstack([grey] * 3)"
    if array.ndim == 3 and array.shape[2] == 4:
        return "leave the transparency out: array[..., :3]"
    return "give RGB pixels as uint8 with three channels"


def _number_hint(array: NDArray[Any]) -> str:
    """How to convert other numbers to uint8, judged by their range."""
    if array.size > 3 * MAX_PIXELS:
        return "give RGB pixels as uint8 with three channels"
    low, high = float(array.min()), float(array.max())
    if not low >= 0 or not high < 65_536:  # NaN fails every comparison
        return "it holds no colours but other numbers; give the photo's own, uint8 from 0 to 255"
    if array.dtype.kind == "f" and high <= 1:
        return "scale it to 0 … 255 and round: (array * 255).round().astype(np.uint8)"
    if array.dtype.kind == "f" and high < 2:  # interpolation may overshoot 1
        return "cut it off at 1 and scale it: (array.clip(0, 1) * 255).round().astype(np.uint8)"
    if high <= 255:
        rounded = "array.round()" if array.dtype.kind == "f" else "array"
        return f"its numbers are in 0 … 255 already: {rounded}.astype(np.uint8)"
    most = next(1 << bits for bits in (10, 12, 14, 16) if high < 1 << bits) - 1
    return (
        f"scale it by its bits, which seem to end at {most}: "
        f"(array / {most} * 255).round().astype(np.uint8)"
    )


def _read_path(path: Path) -> bytes:
    try:
        facts = path.stat()
        _refuse_length(facts.st_size, str(path))
        if stat.S_ISREG(facts.st_mode):
            return path.read_bytes()
        with path.open("rb") as file:  # e.g. a pipe
            return _read_file(file, str(path))
    except FileNotFoundError:
        raise ImageError(f"the image {path} does not exist", "check the path") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        message = f"the image {path} cannot be read: {reason}"
        raise ImageError(message, "check the path and its permissions") from error


def _read_file(file: BinaryFile, name: str) -> bytes:
    """The rest of the file; `read` may return fewer bytes than requested before the end."""
    parts: list[bytes] = []
    left = MAX_BYTES + 1
    while left > 0:
        part = _part(file, left, name)
        if not part:
            break
        parts.append(part)
        left -= len(part)
    _refuse_length(MAX_BYTES + 1 - left, name)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _part(file: BinaryFile, size: int, name: str) -> bytes:
    try:
        part: Any = file.read(min(size, 1 << 24))
    except Exception as error:  # whatever an app's own file object raises
        message = f"{name} cannot be read: {type(error).__name__}: {error}"
        raise ImageError(" ".join(message.split()), "check the file object") from error
    if not isinstance(part, bytes | bytearray | memoryview | None):
        message = f"{name} gives {type(part).__name__}, not bytes"
        raise ImageError(message, "open it with mode 'rb', and await what is asynchronous")
    return bytes(part or b"")


def _refuse_length(length: int, name: str) -> None:
    if length > MAX_BYTES:
        raise ImageError(f"{name} has more than {MAX_BYTES} bytes", "save it as JPEG")
