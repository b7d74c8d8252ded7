"""Refusals, and image files that no library here writes."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from jpegs import Image

from edgekd.errors import ImageError
from edgekd.runtime.preprocess import load_image

PNG_START = b"\x89PNG\r\n\x1a\n"


def refusal(source: Any, size: int = 32) -> ImageError:
    """The error that a source is refused with."""
    with pytest.raises(ImageError) as caught:
        load_image(source, size)
    assert caught.value.exit_code == 2
    assert caught.value.hint
    assert "\n" not in caught.value.message
    return caught.value


def distance(one: Image, other: Image) -> float:
    """Mean absolute difference."""
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


def by_pillow(image: Image, kind: str, mode: str = "RGB", **options: Any) -> bytes:
    """Encoded by Pillow, which writes kinds that OpenCV does not."""
    pillow, file = pytest.importorskip("PIL.Image"), io.BytesIO()
    source = pillow.fromarray(image)
    (source if source.mode == mode else source.convert(mode)).save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    """A PNG chunk."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, rows: bytes, *, depth: int = 8, colour: int = 2, lace: int = 0,
        before: bytes = b"") -> bytes:  # fmt: skip
    """A PNG of filtered rows."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, lace)
    parts = (chunk(b"IHDR", header), before, chunk(b"IDAT", zlib.compress(rows, 1)))
    return PNG_START + b"".join(parts) + chunk(b"IEND", b"")


def interlaced(image: Image) -> bytes:
    """An RGB PNG in Adam7 order (RFC 2083, section 2.6)."""
    starts = ((0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2),
              (1, 2, 0, 1))  # fmt: skip
    passes = (image[top::down, left::across] for top, down, left, across in starts)
    rows = b"".join(b"\0" + row.tobytes() for part in passes for row in part if row.size)
    return png(image.shape[1], image.shape[0], rows, lace=1)


def inserted(data: bytes, *chunks: bytes) -> bytes:
    """A PNG with chunks after its header."""
    return data[:33] + b"".join(chunks) + data[33:]


def tiff(image: Image, order: str = "<", *, tile: int = 0, **changes: Any) -> bytes:
    """An uncompressed RGB TIFF; `changes` replace fields by tag, as `t259=7`."""
    height, width = image.shape[:2]
    pieces = [image.tobytes()]
    if tile:
        padded = np.pad(image, ((0, -height % tile), (0, -width % tile), (0, 0)))
        pieces = [
            padded[top : top + tile, left : left + tile].tobytes()
            for top in range(0, height, tile)
            for left in range(0, width, tile)
        ]
    lengths = [len(piece) for piece in pieces]
    offsets = [8 + sum(lengths[:index]) for index in range(len(pieces))]
    fields: dict[int, list[int]] = {256: [width], 257: [height], 258: [8, 8, 8], 259: [1],
                                    262: [2], 277: [3], 284: [1]}  # fmt: skip
    if tile:
        fields |= {322: [tile], 323: [tile], 324: offsets, 325: lengths}
    else:
        fields |= {273: offsets, 278: [height], 279: lengths}
    following = changes.pop("following", 0)
    fields |= {int(tag[1:]): value for tag, value in changes.items()}
    return _with_directory(b"".join(pieces), fields, order, following)


def _with_directory(
    pixels: bytes, fields: dict[int, list[int]], order: str, following: int
) -> bytes:
    place = 8 + len(pixels) + len(pixels) % 2
    beyond, entries = place + 2 + 12 * len(fields) + 4, b""
    tail = b""
    for tag, values in sorted(fields.items()):
        body = struct.pack(f"{order}{len(values)}I", *values)
        if len(values) > 1:
            tail, body = tail + body, struct.pack(order + "I", beyond + len(tail))
        entries += struct.pack(order + "HHI", tag, 4, len(values)) + body
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", place)
    directory = (
        struct.pack(order + "H", len(fields)) + entries + struct.pack(order + "I", following)
    )
    return start + pixels + bytes(len(pixels) % 2) + directory + tail
