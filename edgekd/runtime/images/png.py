"""PNG: size, depth, transparency, and whether it is whole.

Source: RFC 2083; PNG third edition (W3C, 2025) for `eXIf` and the animation chunks.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from edgekd.runtime.images.header import ImageHeader, Unreadable, damaged

__all__ = ["SIGNATURE", "content", "read"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"

MAX_CHUNKS = 100_000
"""At the usual 8 KB a chunk this is far above `MAX_BYTES`; each one costs time."""

MAX_COMPRESSED_TEXTS = 32
"""libpng inflates each to up to 8 MB, in about 15 ms."""

MAX_BESIDES = 16_000_000
"""Bytes of text, profiles and the like; libpng holds them twice."""

_PALETTE, _GREY_ALPHA, _RGB_ALPHA = 3, 4, 6
_PIXELS = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS"})


class _Chunk(NamedTuple):
    kind: bytes
    start: int
    length: int


def read(data: bytes) -> ImageHeader:
    """The header of a PNG.

    Raises:
        Unreadable: It is animated, has a transparent colour, is damaged, or is stuffed with text.
    """
    chunks, complete = _chunks(data)
    if not chunks:
        return ImageHeader("png", 0, 0, complete=False)
    first = chunks[0]
    if first.kind != b"IHDR" or first.length != 13:
        raise damaged("png")
    width, height, depth, colour = struct.unpack_from(">IIBB", data, first.start)
    _refuse_kinds(data, chunks, colour)
    _refuse_stuffing(chunks)
    alpha = colour in (_GREY_ALPHA, _RGB_ALPHA)
    return ImageHeader(
        "png",
        width,
        height,
        complete,
        components=1 if colour in (0, _GREY_ALPHA) else 3,
        alpha=alpha,
        bytes_per_pixel=(16 if depth == 16 else 8) if alpha else 6,
    )


def content(data: bytes, kind: bytes) -> bytes | None:
    """What the first chunk of a kind holds; None where there is none before the pixels."""
    for chunk in _walk(data):
        if chunk.kind == kind:
            return data[chunk.start : chunk.start + chunk.length]
        if chunk.kind == b"IDAT":
            return None
    return None


def _chunks(data: bytes) -> tuple[list[_Chunk], bool]:
    """The whole chunks, and whether the last one ends the image."""
    chunks = list(_walk(data))
    return chunks, bool(chunks) and chunks[-1].kind == b"IEND"


def _walk(data: bytes) -> Iterator[_Chunk]:
    position = len(SIGNATURE)
    for _ in range(MAX_CHUNKS):
        if position + 12 > len(data):  # length, kind, content, checksum
            return
        length, kind = struct.unpack_from(">I4s", data, position)
        if position + 12 + length > len(data):
            return
        yield _Chunk(kind, position + 8, length)
        if kind == b"IEND":
            return
        position += 12 + length
    raise Unreadable(f"is a PNG of more than {MAX_CHUNKS} chunks", "save it anew")


def _refuse_kinds(data: bytes, chunks: list[_Chunk], colour: int) -> None:
    for kind, start, length in chunks:
        if kind in (b"acTL", b"fcTL", b"fdAT"):
            raise Unreadable("is an animated PNG", "save one picture of it as a plain PNG")
        if kind != b"tRNS":
            continue
        if colour != _PALETTE or min(data[start : start + length], default=255) < 255:
            raise Unreadable(
                "has transparent colours, and what lies under them is not the photo",
                "save it without transparency",
            )


def _refuse_stuffing(chunks: list[_Chunk]) -> None:
    texts = sum(chunk.kind in (b"zTXt", b"iTXt", b"iCCP") for chunk in chunks)
    besides = sum(chunk.length for chunk in chunks if chunk.kind not in _PIXELS)
    if texts > MAX_COMPRESSED_TEXTS or besides > MAX_BESIDES:
        raise Unreadable(
            f"is a PNG with {besides} bytes of text and profiles in {texts} compressed blocks",
            "save it without metadata",
        )
