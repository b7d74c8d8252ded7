"""JPEG: its kind, whether it is complete, and the cost of decoding it.

Decoders fill the missing part of a truncated file with grey and report success. A progressive file
may hold any number of scans, each a pass over the whole image, so a small file can take minutes.

Source: ITU-T T.81 annex B; T.872 (Adobe's APP14). Markers are parsed as libjpeg does, so that the
decoder decodes the same frame that was checked here.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from itertools import takewhile
from typing import NamedTuple

from edgekd.runtime.images.header import ImageHeader, Unreadable, damaged_image

__all__ = [
    "JPEG_SIGNATURE",
    "Segment",
    "colour_is_declared",
    "end_of_image",
    "end_of_scan",
    "leading_segments",
    "read_jpeg",
    "segments",
]

JPEG_SIGNATURE = b"\xff\xd8\xff"

MAX_SEGMENTS = 4096
"""Most marker segments; encoders write fewer, and each one costs time."""

_BASELINE, _EXTENDED, _PROGRESSIVE = 0xC0, 0xC1, 0xC2
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_END_OF_IMAGE, _START_OF_SCAN = 0xD9, 0xDA
_APP0, _APP14 = 0xE0, 0xEE
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # TEM and restart markers have no length
_TABLES = frozenset({0xC4, 0xCC, 0xDB, 0xDC, 0xDD, 0xFE, *range(0xE0, 0xF0)})
_KNOWN = _ALONE | _TABLES | _START_OF_FRAME | {_END_OF_IMAGE, _START_OF_SCAN}
_FILL = re.compile(rb"\xff+")
_MARKER_IN_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


class Segment(NamedTuple):
    """A marker and its content, `data[start:end]`."""

    marker: int
    start: int
    end: int


def read_jpeg(data: bytes) -> ImageHeader:
    """The header of a JPEG.

    Raises:
        Unreadable: It is CMYK, lossless, arithmetic, hierarchical, of 12 bits, or damaged.
    """
    frame: Segment | None = None
    scans, complete = 0, False
    for segment in segments(data):
        if segment.marker in _START_OF_FRAME:
            if frame is not None:
                raise damaged_image("jpeg")
            frame = segment
        elif segment.marker == _START_OF_SCAN:
            scans += 1
            if frame is not None and _one_scan_holds_all(data, frame, segment):
                complete = data.rfind(b"\xff\xd9", segment.end) >= 0
                break
        elif segment.marker == _END_OF_IMAGE:
            complete = True
    if frame is None:
        return ImageHeader("jpeg", 0, 0, complete=False)
    return _header(data, frame, scans, complete=complete and scans > 0)


def segments(data: bytes) -> Iterator[Segment]:
    """The markers of a JPEG in order, to the end of the (first) image or of the bytes.

    Raises:
        Unreadable: There are other bytes where a marker is required.
    """
    position = 2
    for _ in range(MAX_SEGMENTS):
        fill = _FILL.match(data, position)
        position = fill.end() if fill else position
        if position >= len(data):
            return
        marker = data[position]
        if fill is None or marker not in _KNOWN:
            raise damaged_image("jpeg")
        position += 1
        end = position if marker in _ALONE or marker == _END_OF_IMAGE else _end(data, position)
        if end > len(data):
            return
        yield Segment(marker, position + 2, end)
        if marker == _END_OF_IMAGE:
            return
        position = end_of_scan(data, end) if marker == _START_OF_SCAN else end
    raise Unreadable(f"is a JPEG of more than {MAX_SEGMENTS} segments", "save it again")


def end_of_image(data: bytes) -> int:
    """The position after the (first) image, or the end of the bytes where its end is missing."""
    ends = (segment.end for segment in segments(data) if segment.marker == _END_OF_IMAGE)
    return next(ends, len(data))


def colour_is_declared(data: bytes) -> bool:
    """Whether the JPEG declares the colours of its three components (JFIF or Adobe)."""
    starts = ((_APP0, b"JFIF"), (_APP14, b"Adobe"))
    return any(
        segment.marker == marker and data.startswith(word, segment.start)
        for segment in segments(data)
        for marker, word in starts
    )


def _end(data: bytes, position: int) -> int:
    if position + 2 > len(data):
        return position + 2
    (length,) = struct.unpack_from(">H", data, position)
    if length < 2:
        raise damaged_image("jpeg")
    return int(position + length)


def leading_segments(data: bytes) -> Iterator[Segment]:
    """The segments before the first scan."""
    return takewhile(lambda segment: segment.marker != _START_OF_SCAN, segments(data))


def end_of_scan(data: bytes, start: int) -> int:
    """Position of the next marker after entropy-coded data, or the end of the bytes."""
    marker = _MARKER_IN_SCAN.search(data, start)
    return marker.start() if marker else len(data)


def _one_scan_holds_all(data: bytes, frame: Segment, scan: Segment) -> bool:
    """Whether the first scan holds the whole image, so that the decoder reads no other scan."""
    if frame.marker == _PROGRESSIVE or frame.end - frame.start < 6 or scan.end == scan.start:
        return False
    return data[scan.start] == data[frame.start + 5]


def _header(data: bytes, frame: Segment, scans: int, *, complete: bool) -> ImageHeader:
    if frame.end - frame.start < 6:
        raise damaged_image("jpeg")
    precision, height, width, components = struct.unpack_from(">BHHB", data, frame.start)
    if frame.end - frame.start != 6 + 3 * components:
        raise damaged_image("jpeg")
    _refuse_kinds(frame.marker, precision, components)
    many = frame.marker == _PROGRESSIVE or scans > 1
    return ImageHeader(
        "jpeg",
        width,
        height,
        complete,
        components,
        overhead=_coefficients(data, frame, width * height) if many else 0,
        scans=scans,
    )


def _refuse_kinds(marker: int, precision: int, components: int) -> None:
    hint = "save it as an ordinary 8-bit JPEG or as PNG"
    if marker in (0xC3, 0xC7, 0xCB, 0xCF):
        raise Unreadable("is a lossless JPEG, which few decoders read", hint)
    if marker in (0xC9, 0xCA, 0xCD, 0xCE):
        raise Unreadable("is a JPEG with arithmetic coding, which few decoders read", hint)
    if marker not in (_BASELINE, _EXTENDED, _PROGRESSIVE):
        raise Unreadable("is a hierarchical JPEG, which few decoders read", hint)
    if precision != 8:
        raise Unreadable(f"is a JPEG of {precision} bits a channel", hint)
    if components == 4:
        raise Unreadable("is a CMYK JPEG, colours for print", "save it as RGB")
    if components not in (1, 3):
        raise Unreadable(f"is a JPEG of {components} channels", "save it as RGB")


def _coefficients(data: bytes, frame: Segment, pixels: int) -> int:
    """Memory in bytes for the coefficients of an image of several scans, at 2 bytes each."""
    start = frame.start + 6
    factors = [(byte >> 4) * (byte & 15) for byte in data[start + 1 : frame.end : 3]]
    return 2 * pixels * sum(factors) // max(1, *factors)
