"""TIFF: one page of grey or RGB, 8 or 16 bits, with the usual compressions.

Other kinds (tiles of other sizes, planes, JPEG inside, pyramids, raw photos) are refused here, so
that the decoder gets only the kinds that scanners write.

Source: TIFF revision 6.0, section 2 and the table of tags; Adobe's TIFF technical note 3 (deflate).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekd.runtime.images.header import (
    ImageHeader,
    Unreadable,
    corrupt_image,
    damaged_image,
    truncated_image,
)
from edgekd.runtime.images.strips import unpacks_to

__all__ = ["TIFF_SIGNATURES", "check_tiff", "exif_orientation", "read_tiff", "tiff_profile"]

TIFF_SIGNATURES = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_ORIENTATION, _PROFILE = 274, 34675
_STRIPS, _SAMPLES, _ROWS_PER_STRIP, _STRIP_BYTES, _PLANAR = 273, 277, 278, 279, 284
_SUB_IFDS, _SAMPLE_FORMAT, _CFA, _DNG = 330, 339, 32803, 50706
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES = 322, 323, 324, 325
_TAGS = frozenset(
    {_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _STRIPS, _SAMPLES, _ROWS_PER_STRIP}
    | {_STRIP_BYTES, _PLANAR, _ORIENTATION, _PROFILE, _SUB_IFDS, _SAMPLE_FORMAT, _DNG}
    | {_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES}
)
_TYPES = {1: "u1", 3: "u2", 4: "u4", 7: "u1"}  # BYTE, SHORT, LONG, and UNDEFINED of the profile
_COMPRESSIONS = (1, 5, 8, 32946, 32773)  # none, LZW, deflate, old deflate, PackBits
_HINT = "save it as PNG or as an 8-bit RGB TIFF of one page"

Values = Sequence[int] | NDArray[np.integer[Any]]
Fields = Mapping[int, Values]


def read_tiff(data: bytes) -> ImageHeader:
    """The header of a TIFF.

    Raises:
        Unreadable: It is of an unsupported kind, or damaged.
    """
    if data[2:4] in (b"+\x00", b"\x00+"):
        raise Unreadable("is a BigTIFF", _HINT)
    order = "<" if data.startswith(b"II") else ">"
    table = _directory(data, order)
    if table is None:
        return ImageHeader("tiff", 0, 0, complete=False)
    fields, following = table
    _refuse_raw(data, fields)
    if following:
        raise Unreadable("is a TIFF of several pages", _HINT)
    width, height = _single_value(fields, _WIDTH, 0), _single_value(fields, _HEIGHT, 0)
    samples, bits = _single_value(fields, _SAMPLES, 1), _single_value(fields, _BITS, 1)
    _refuse_kinds(fields, samples)
    strip_pixels, pieces = _layout(fields, width, height)
    return ImageHeader(
        "tiff",
        width,
        height,
        complete=_complete(fields, pieces, len(data)),
        components=samples,
        overhead=2 * strip_pixels * samples * (bits // 8),
    )


def check_tiff(data: bytes) -> None:
    """Unpack the strips or tiles of a TIFF that `read_tiff` accepted.

    Raises:
        Unreadable: One of them does not unpack to its part of the picture.
    """
    table = _directory(data, "<" if data.startswith(b"II") else ">")
    assert table is not None
    fields, _ = table
    width, height = _single_value(fields, _WIDTH, 0), _single_value(fields, _HEIGHT, 0)
    pixel = _single_value(fields, _SAMPLES, 1) * _single_value(fields, _BITS, 1) // 8
    whole, pieces = _layout(fields, width, height)
    tags = (_TILES, _TILE_BYTES) if _TILES in fields else (_STRIPS, _STRIP_BYTES)
    offsets, counts = (np.asarray(fields[tag], np.int64).tolist() for tag in tags)
    compression = _single_value(fields, _COMPRESSION, 1)
    for index, (start, count) in enumerate(zip(offsets, counts, strict=True)):
        last = index == pieces - 1 and _TILES not in fields
        pixels = width * height - whole * index if last else whole
        if last and compression == 1 and count == pixel * whole:
            continue  # padded to the rows of the others
        if not unpacks_to(compression, memoryview(data)[start : start + count], pixel * pixels):
            raise corrupt_image("tiff")


def exif_orientation(exif: bytes) -> int:
    """The orientation of an EXIF block, 1 (upright) to 8; 1 where it is damaged."""
    if not exif.startswith(TIFF_SIGNATURES[:2]):
        return 1
    try:
        table = _directory(exif, "<" if exif.startswith(b"II") else ">")
        value = _single_value(table[0], _ORIENTATION, 1) if table else 1
    except Unreadable:
        return 1
    return value if 1 <= value <= 8 else 1


def tiff_profile(data: bytes) -> bytes | None:
    """The ICC profile of the first page of a TIFF that `read_tiff` accepted; None without one."""
    table = _directory(data, "<" if data.startswith(b"II") else ">")
    values = table[0].get(_PROFILE) if table else None
    return None if values is None else np.asarray(values, np.uint8).tobytes()


def _directory(data: bytes, order: str) -> tuple[Fields, int] | None:
    """The fields of the first page and the offset of the next; None where they are cut off."""
    if len(data) < 8:
        return None
    (start,) = struct.unpack_from(order + "I", data, 4)
    if start + 2 > len(data):
        return None
    (count,) = struct.unpack_from(order + "H", data, start)
    after = start + 2 + 12 * count
    if after + 4 > len(data):
        return None
    fields: dict[int, Values] = {}
    for place in range(start + 2, after, 12):
        tag, kind, number = struct.unpack_from(order + "HHI", data, place)
        if tag in _TAGS and kind in _TYPES:
            fields.setdefault(tag, _values(data, order, kind, number, place + 8))
    return fields, struct.unpack_from(order + "I", data, after)[0]


def _values(data: bytes, order: str, kind: int, number: int, place: int) -> Values:
    """Values of a field; they are in the entry itself where they fit into four bytes."""
    numbers = np.dtype(order + _TYPES[kind])
    if number * numbers.itemsize > 4:
        (place,) = struct.unpack_from(order + "I", data, place)
    if place + number * numbers.itemsize > len(data):
        raise truncated_image("tiff")
    return np.frombuffer(data, numbers, number, place)  # a view: a table may claim any length


def _single_value(fields: Fields, tag: int, default: int) -> int:
    """The value of a field whose values must all be equal."""
    if tag not in fields:
        return default
    values = set(map(int, fields[tag][:16]))
    if len(values) != 1:
        raise damaged_image("tiff")
    return values.pop()


def _refuse_raw(data: bytes, fields: Fields) -> None:
    if _DNG in fields or _single_value(fields, _PHOTOMETRIC, 1) == _CFA or data[8:10] == b"CR":
        raise Unreadable("is a camera's raw photo", "export it as JPEG")
    if _SUB_IFDS in fields:
        raise Unreadable("is a TIFF with other pictures inside (or a camera's raw photo)", _HINT)


def _refuse_kinds(fields: Fields, samples: int) -> None:
    photometric = _single_value(fields, _PHOTOMETRIC, -1)
    if (samples, photometric) not in ((1, 1), (3, 2)):
        raise Unreadable("is a TIFF that is neither plain grey nor plain RGB", _HINT)
    if _single_value(fields, _BITS, 1) not in (8, 16) or len(fields[_BITS]) != samples:
        raise Unreadable("is a TIFF of neither 8 nor 16 bits a channel", _HINT)
    if _single_value(fields, _SAMPLE_FORMAT, 1) != 1:
        raise Unreadable("is a TIFF of signed or floating numbers", _HINT)
    if _single_value(fields, _COMPRESSION, 1) not in _COMPRESSIONS:
        raise Unreadable("is a TIFF with a compression that is not read", _HINT)
    if _single_value(fields, _PLANAR, 1) != 1:
        raise Unreadable("is a TIFF whose channels lie apart", _HINT)


def _layout(fields: Fields, width: int, height: int) -> tuple[int, int]:
    """Pixels of one strip or tile, and the number of them."""
    if _TILES not in fields:
        rows = max(1, min(_single_value(fields, _ROWS_PER_STRIP, height), height))
        return rows * width, -(-height // rows)
    across, down = _single_value(fields, _TILE_WIDTH, 0), _single_value(fields, _TILE_HEIGHT, 0)
    if not (0 < across <= 4096 and 0 < down <= 4096) or across % 16 or down % 16:
        raise Unreadable("is a TIFF of tiles of a rare size", _HINT)
    return across * down, -(-width // across) * -(-height // down)


def _complete(fields: Fields, pieces: int, length: int) -> bool:
    tags = (_TILES, _TILE_BYTES) if _TILES in fields else (_STRIPS, _STRIP_BYTES)
    offsets, counts = (fields.get(tag, ()) for tag in tags)
    if len(offsets) != pieces or len(counts) != pieces:
        return False
    ends = np.asarray(offsets, np.int64) + np.asarray(counts, np.int64)
    return bool((ends <= length).all())
