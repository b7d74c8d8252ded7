"""Damage to images that knows their formats: sizes, lengths, tags and parts in the wrong order."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence

from numpy.random import Generator

from abuse.mutations import HOSTILE_NUMBERS, mutate_bytes, pick, replaced
from abuse.photos import png_chunk

__all__ = ["mutate_image"]

Mutation = Callable[[Generator, bytes], bytes]


def mutate_image(rng: Generator, kind: str, photos: Mapping[str, bytes]) -> bytes:
    """A photo of the kind, damaged: by its format, by bytes, or both; seldom spliced with another.

    Args:
        rng: Decides everything.
        kind: Key of `photos`; its first word is the format.
        photos: Encoded files by kind.
    """
    data, way = photos[kind], int(rng.integers(10))
    if way < 7:
        by_format = _BY_FORMAT.get(kind.split("-")[0], mutate_bytes)
        for _ in range(int(rng.integers(1, 3))):
            data = by_format(rng, data)
    if way == 9:
        data = _spliced(rng, data, photos[pick(rng, list(photos))])
    elif way >= 6:
        data = mutate_bytes(rng, data, 2)
    return data


def _spliced(rng: Generator, data: bytes, other: bytes) -> bytes:
    return data[: int(rng.integers(len(data) + 1))] + other[int(rng.integers(len(other) + 1)) :]


def _number(rng: Generator, kind: str) -> bytes:
    return struct.pack(kind, pick(rng, HOSTILE_NUMBERS) % 256 ** struct.calcsize(kind))


def _shuffled(rng: Generator, pieces: list[bytes], damage: Mutation) -> list[bytes]:
    """The pieces with one damaged, dropped, doubled, moved or many times repeated."""
    if not pieces:
        return pieces
    at, way = int(rng.integers(len(pieces))), int(rng.integers(8))
    piece = pieces[at]
    if way < 4:
        pieces[at] = damage(rng, piece)
    elif way == 4:
        del pieces[at]
    elif way == 5:
        pieces.insert(int(rng.integers(len(pieces) + 1)), piece)
    elif way == 6:
        pieces.insert(int(rng.integers(len(pieces))), pieces.pop(at))
    else:
        pieces[at:at] = [piece] * min(int(rng.integers(2, 300)), 200_000 // (len(piece) + 1) + 1)
    return pieces


def jpeg_segments(data: bytes) -> list[bytes]:
    """The parts of a JPEG: each marker with its segment, entropy-coded data with its scan."""
    cuts, at = [0], 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        cuts.append(at)
        if data[at + 1] == 0xDA:
            break
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return [data[a:b] for a, b in zip(cuts, [*cuts[1:], len(data)], strict=True)]


def _jpeg(rng: Generator, data: bytes) -> bytes:
    return b"".join(_shuffled(rng, jpeg_segments(data), _jpeg_segment))


def _jpeg_segment(rng: Generator, segment: bytes) -> bytes:
    way = int(rng.integers(6))
    frame = len(segment) > 9 and 0xC0 <= segment[1] <= 0xCF
    if frame and way < 4:
        return replaced(segment, 5 + 2 * int(rng.integers(2)), _number(rng, ">H"))
    if way < 2:
        return replaced(segment, 2, _number(rng, ">H"))
    if way == 2:
        return replaced(segment, 1, bytes([int(rng.integers(0xC0, 256))]))
    if way == 3:
        return replaced(segment, int(rng.integers(4, 20)), rng.bytes(1))
    return mutate_bytes(rng, segment, 1)


def png_chunks(data: bytes) -> list[bytes]:
    """The chunks of a PNG, its signature first."""
    pieces, at = [data[:8]], 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        pieces.append(data[at : at + 12 + length])
        at += 12 + length
    return [*pieces, data[at:]]


def _png(rng: Generator, data: bytes) -> bytes:
    return b"".join(_shuffled(rng, png_chunks(data), _png_damaged))


def _png_damaged(rng: Generator, chunk: bytes) -> bytes:
    if len(chunk) < 12:
        return mutate_bytes(rng, chunk, 1)
    kind, body, way = chunk[4:8], chunk[8:-4], int(rng.integers(8))
    if way == 0:
        return _number(rng, ">I") + chunk[4:]
    if way == 1:
        kind = pick(rng, (b"tRNS", b"PLTE", b"acTL", b"iCCP", b"zTXt", b"eXIf", b"gAMA", b"IDAT"))
    elif kind == b"IHDR" and way < 5:
        body = replaced(body, 4 * int(rng.integers(2)), _number(rng, ">I"))
    elif kind == b"IHDR":
        at = int(rng.integers(8, 13))
        body = replaced(body, at, bytes([pick(rng, (0, 1, 2, 3, 4, 6, 8, 16, 255))]))
    else:
        body = mutate_bytes(rng, body, 1)
    return png_chunk(kind, body) if way < 7 else replaced(chunk, 8, body)


_BMP_FIELDS = (
    (2, "<I"), (10, "<I"), (14, "<I"), (18, "<I"), (22, "<I"), (26, "<H"), (28, "<H"), (30, "<I"),
    (34, "<I"), (46, "<I"), (50, "<I"),
)  # fmt: skip


def _bmp(rng: Generator, data: bytes) -> bytes:
    at, kind = pick(rng, _BMP_FIELDS)
    if kind == "<H" or (at == 30 and rng.integers(2)):
        small = struct.pack(kind, pick(rng, (0, 1, 2, 3, 4, 5, 8, 16, 24, 32, 64)))
        return replaced(data, at, small)
    return replaced(data, at, _number(rng, kind))


def riff_chunks(data: bytes) -> list[bytes]:
    """The chunks of a WebP, its container's header first."""
    pieces, at = [data[:12]], 12
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        pieces.append(data[at : at + 8 + length + length % 2])
        at += 8 + length + length % 2
    return [*pieces, data[at:]]


def _webp(rng: Generator, data: bytes) -> bytes:
    return b"".join(_shuffled(rng, riff_chunks(data), _webp_chunk))


def _webp_chunk(rng: Generator, chunk: bytes) -> bytes:
    way = int(rng.integers(4))
    if way == 0:
        return replaced(chunk, 4, _number(rng, "<I"))
    if way == 1:
        return replaced(chunk, 0, pick(rng, (b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"EXIF")))
    if way == 2:  # sizes stand here in all three kinds of chunks
        return replaced(chunk, int(rng.integers(8, 19)), rng.bytes(int(rng.integers(1, 4))))
    return mutate_bytes(rng, chunk, 1)


def _tiff(rng: Generator, data: bytes) -> bytes:
    """One field of one entry of the first page changed, or the chain of pages."""
    if len(data) < 16:
        return mutate_bytes(rng, data, 1)
    order = "<" if data[:2] == b"II" else ">"
    (start,) = struct.unpack_from(order + "I", data, 4)
    if start + 2 > len(data) or rng.integers(12) == 0:
        return replaced(data, 4, _number(rng, order + "I"))
    (count,) = struct.unpack_from(order + "H", data, start)
    if rng.integers(12) == 0:
        return replaced(data, start + 2 + 12 * count, _number(rng, order + "I"))
    entry = start + 2 + 12 * int(rng.integers(max(1, min(count, 40))))
    way = int(rng.integers(6))
    if way == 0:
        tag = struct.pack(order + "H", pick(rng, _TAGS))
        return replaced(data, entry, tag)
    if way == 1:
        return replaced(data, entry + 2, struct.pack(order + "H", int(rng.integers(0, 19))))
    if way == 2:
        return replaced(data, entry + 4, _number(rng, order + "I"))
    if way == 3:
        return replaced(data, entry + 8, struct.pack(order + "H", int(rng.integers(0, 40))))
    return replaced(data, entry + 8, _number(rng, order + "I"))


_TAGS = (256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 317, 320, 322, 323, 324, 325, 330,
         338, 339, 347, 33421, 34675, 50706)  # fmt: skip


_DICOM_TAGS = (
    (0x0028, 0x0002), (0x0028, 0x0004), (0x0028, 0x0006), (0x0028, 0x0008), (0x0028, 0x0010),
    (0x0028, 0x0011), (0x0028, 0x0100), (0x0028, 0x0101), (0x0028, 0x0102), (0x0028, 0x0103),
    (0x0028, 0x1050), (0x0028, 0x1051), (0x0002, 0x0010), (0x0002, 0x0000), (0x7FE0, 0x0010),
)  # fmt: skip
_DICOM_WORDS = (
    b"MONOCHROME1 ", b"MONOCHROME2 ", b"PALETTE COLOR ", b"YBR_FULL", b"YBR_RCT ", b"RGB ",
    b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.2", b"1.2.840.10008.1.2.4.90",
    b"1.2.840.10008.1.2.5", b"1e400 ", b"nan ", b"-1", b"9" * 40,
)  # fmt: skip


def _dicom(rng: Generator, data: bytes) -> bytes:
    """A value, length or representation of one element of the pixel module changed."""
    tag = struct.pack("<HH", *pick(rng, _DICOM_TAGS))
    at = data.find(tag, 132)
    if at < 0:
        return mutate_bytes(rng, data, 1)
    way = int(rng.integers(7))
    if way == 0:
        return replaced(data, at + 4, pick(rng, _REPRESENTATIONS))
    if way == 1:
        return replaced(data, at + 6, _number(rng, "<H"))
    if way == 2:
        return replaced(data, at + 8, pick(rng, _DICOM_WORDS))
    if way == 3:
        return data[:at] + data[at + 8 :]
    if way == 4:
        return replaced(data, at + 4, _number(rng, "<I"))
    return replaced(data, at + 8, _number(rng, "<H"))


_REPRESENTATIONS: Sequence[bytes] = (
    b"UI", b"US", b"OB", b"OW", b"DS", b"IS", b"SQ", b"UN", b"XX", b"\0\0",
)  # fmt: skip
_BY_FORMAT: Mapping[str, Mutation] = {
    "jpeg": _jpeg,
    "png": _png,
    "bmp": _bmp,
    "webp": _webp,
    "tiff": _tiff,
    "dicom": _dicom,
}
