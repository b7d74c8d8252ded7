"""PNG: size, depth, transparency, and whether it is complete.

Source: RFC 2083; PNG third edition (W3C, 2025) for `eXIf` and the animation chunks.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from edgekd.runtime.images.header import ImageHeader, Unreadable, corrupt_image, damaged_image

__all__ = ["PNG_SIGNATURE", "check_png", "png_chunk", "read_png"]

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

MAX_PNG_CHUNKS = 100_000
"""Most chunks; each one costs time. At the usual 8 KB a chunk they exceed `MAX_BYTES` by far."""

MAX_COMPRESSED_TEXTS = 32
"""Most compressed texts; libpng inflates each to up to 8 MB, in about 15 ms."""

MAX_BESIDES = 16_000_000
"""Most bytes of text, profiles and the like, which libpng holds twice."""

_PALETTE, _GREY_ALPHA, _RGB_ALPHA = 3, 4, 6
_END = b"\0\0\0\0IEND\xaeB`\x82"  # the last chunk, with its length and checksum
_PIXELS = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS"})


class _Chunk(NamedTuple):
    kind: bytes
    start: int
    length: int


def read_png(data: bytes) -> ImageHeader:
    """The header of a PNG.

    Raises:
        Unreadable: It is animated, has a transparent colour, is damaged, or has too much text.
    """
    chunks, complete = _chunks(data)
    if not chunks:
        return ImageHeader("png", 0, 0, complete=False)
    first = chunks[0]
    if first.kind != b"IHDR" or first.length != 13:
        raise damaged_image("png")
    width, height, depth, colour = struct.unpack_from(">IIBB", data, first.start)
    _refuse_kinds(data, chunks, colour)
    _refuse_stuffing(chunks)
    _refuse_colours({kind: data[start : start + min(length, 32)] for kind, start, length in chunks})
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


def check_png(data: bytes) -> None:
    """Unpack the pixels of a PNG; the decoder itself ignores surplus ones.

    Raises:
        Unreadable: There are more of them than its header declares.
    """
    left = _packed_bytes(data)
    unpacker = zlib.decompressobj()
    for part in _packed_parts(data):
        try:
            while part and left >= 0:
                left -= len(unpacker.decompress(part, 1 << 18))
                part = unpacker.unconsumed_tail
        except zlib.error:
            raise corrupt_image("png") from None
    if left:
        raise corrupt_image("png")


def _packed_parts(data: bytes) -> Iterator[bytes | memoryview]:
    """The compressed pixels in pieces, since zlib copies the unconsumed rest of each."""
    for kind, start, length in _walk(data):
        if kind == b"IDAT":
            for place in range(start, start + length, 1 << 16):
                yield memoryview(data)[place : min(place + (1 << 16), start + length)]


def _packed_bytes(data: bytes) -> int:
    """Uncompressed bytes of all rows, each with its filter byte."""
    width, height, depth, colour, _, _, lace = struct.unpack_from(">IIBBBBB", data, 16)
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 1)
    passes = _ADAM7 if lace else ((0, 0, 1, 1),)
    sizes = (
        (-(-max(0, width - left) // across), -(-max(0, height - top) // down))
        for left, top, across, down in passes
    )
    return sum(rows * (1 + -(-columns * bits // 8)) for columns, rows in sizes if columns)


_ADAM7 = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
    (0, 1, 1, 2),
)  # fmt: skip
"""Left, top, steps across and down of the passes of an interlaced PNG (RFC 2083, section 2.6)."""


def png_chunk(data: bytes, kind: bytes) -> bytes | None:
    """The content of the first chunk of a kind; None where there is none before the pixels."""
    for chunk in _walk(data):
        if chunk.kind == kind:
            return data[chunk.start : chunk.start + chunk.length]
        if chunk.kind == b"IDAT":
            return None
    return None


def _chunks(data: bytes) -> tuple[list[_Chunk], bool]:
    """The complete chunks, and whether the last one ends the image; some decoders compare it."""
    chunks = list(_walk(data))
    return chunks, bool(chunks) and data.startswith(_END, chunks[-1].start - 8)


def _walk(data: bytes) -> Iterator[_Chunk]:
    position = len(PNG_SIGNATURE)
    for _ in range(MAX_PNG_CHUNKS):
        if position + 12 > len(data):  # length, kind, content, checksum
            return
        length, kind = struct.unpack_from(">I4s", data, position)
        if position + 12 + length > len(data):
            return
        yield _Chunk(kind, position + 8, length)
        if kind == b"IEND":
            return
        position += 12 + length
    raise Unreadable(f"is a PNG of more than {MAX_PNG_CHUNKS} chunks", "save it again")


def _refuse_kinds(data: bytes, chunks: list[_Chunk], colour: int) -> None:
    for kind, start, length in chunks:
        if kind in (b"acTL", b"fcTL", b"fdAT"):
            raise Unreadable("is an animated PNG", "save one picture of it as a plain PNG")
        if kind == b"eXIf" and data[start : start + min(length, 2)] not in (b"II", b"MM"):
            raise damaged_image("png")  # some decoders refuse it
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


_SRGB_GAMMA, _GAMMA_SPARE = 45_455, 2_500
_SRGB_PRIMARIES = (31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000)
_PRIMARIES_SPARE = 1_000
_SRGB_CODES = b"\x01\x0d\x00\x01"  # ITU-T H.273: primaries, transfer, matrix, full range


def _refuse_colours(chunks: Mapping[bytes, bytes]) -> None:
    """Refuse colour spaces other than sRGB that are declared without an ICC profile."""
    gamma, primaries = chunks.get(b"gAMA", b""), chunks.get(b"cHRM", b"")
    if b"cICP" in chunks:
        alike = chunks[b"cICP"][:4] == _SRGB_CODES
    elif chunks.keys() & {b"iCCP", b"sRGB"}:  # which take precedence
        return
    else:
        alike = len(gamma) < 4 or (
            abs(struct.unpack(">I", gamma[:4])[0] - _SRGB_GAMMA) <= _GAMMA_SPARE
        )
        declared = struct.unpack(">8I", primaries) if len(primaries) == 32 else _SRGB_PRIMARIES
        pairs = zip(declared, _SRGB_PRIMARIES, strict=True)
        alike = alike and all(abs(one - other) <= _PRIMARIES_SPARE for one, other in pairs)
    if not alike:
        raise Unreadable("is a PNG in other colours than sRGB", "save it as sRGB")
