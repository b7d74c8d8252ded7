"""WebP: lossy, lossless and extended files of one picture.

Source: RFC 9649, sections 2.3 to 2.7 (container), 3.4 (lossless header); RFC 6386, 9.1 (VP8 frame).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from edgekd.runtime.images.header import ImageHeader, Unreadable, damaged_image
from edgekd.runtime.images.tiff import exif_orientation

__all__ = ["is_webp", "read_webp", "webp_profile"]

MAX_WEBP_CHUNKS = 1000
MAX_EXIF = 65_536

_ANIMATION, _ALPHA = 0x02, 0x10


def is_webp(data: bytes) -> bool:
    """Whether the bytes begin as a WebP does."""
    return data.startswith(b"RIFF") and data[8:12] == b"WEBP"


def read_webp(data: bytes) -> ImageHeader:
    """The header of a WebP.

    Raises:
        Unreadable: It is animated, damaged, or not stored upright.
    """
    if len(data) < 30:
        return ImageHeader("webp", 0, 0, complete=False)
    complete = struct.unpack_from("<I", data, 4)[0] + 8 <= len(data)
    _refuse_turned(data)
    canvas: tuple[int, int] | None = None
    alpha = False
    for kind, start in _chunks(data):
        if kind == b"VP8X":
            canvas = _canvas(data, start)
            alpha = bool(data[start] & _ALPHA)
        elif kind in (b"VP8 ", b"VP8L"):
            width, height, own_alpha = (_lossy if kind == b"VP8 " else _lossless)(data, start)
            if canvas not in (None, (width, height)):
                raise damaged_image("webp")
            alpha = alpha or own_alpha
            bytes_per_pixel = 8 if kind == b"VP8L" or alpha else 6
            return ImageHeader(
                "webp", width, height, complete, alpha=alpha, bytes_per_pixel=bytes_per_pixel
            )
    return ImageHeader("webp", *(canvas or (0, 0)), complete=False)


def webp_profile(data: bytes) -> bytes | None:
    """The ICC profile of the file."""
    for kind, start in _chunks(data):
        if kind == b"ICCP":
            (length,) = struct.unpack_from("<I", data, start - 4)
            return data[start : start + length]
    return None


def _chunks(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Kind and start of each chunk of at least ten bytes; shorter ones are irrelevant here."""
    position = 12
    for _ in range(MAX_WEBP_CHUNKS):
        if position + 8 + 10 > len(data):
            return
        kind, length = struct.unpack_from("<4sI", data, position)
        if kind in (b"ANIM", b"ANMF"):
            raise _animated()
        yield kind, position + 8
        position += 8 + length + length % 2
    raise damaged_image("webp")


def _refuse_turned(data: bytes) -> None:
    """Refuse an EXIF orientation, which OpenCV applies from 4.13 on and ignores before."""
    for kind, start in _chunks(data):
        exif = data[start : start + MAX_EXIF] if kind == b"EXIF" else b""
        if exif_orientation(exif.removeprefix(b"Exif\0\0")) != 1:
            raise Unreadable("is a WebP that is not stored upright", "save it upright, or as JPEG")


def _canvas(data: bytes, start: int) -> tuple[int, int]:
    if data[start] & _ANIMATION:
        raise _animated()
    packed = int.from_bytes(data[start + 4 : start + 10], "little")
    return (packed & 0xFFFFFF) + 1, (packed >> 24) + 1


def _lossy(data: bytes, start: int) -> tuple[int, int, bool]:
    if data[start + 3 : start + 6] != b"\x9d\x01\x2a":
        raise damaged_image("webp")
    width, height = struct.unpack_from("<HH", data, start + 6)
    return width & 0x3FFF, height & 0x3FFF, False


def _lossless(data: bytes, start: int) -> tuple[int, int, bool]:
    if data[start] != 0x2F:
        raise damaged_image("webp")
    (packed,) = struct.unpack_from("<I", data, start + 1)
    return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1, bool(packed >> 28 & 1)


def _animated() -> Unreadable:
    return Unreadable("is an animated WebP", "save one picture of it as a plain image")
