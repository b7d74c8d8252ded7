"""What an image file says of itself before it is decoded: format, size, and whether it is whole.

Decoders paint the missing half of a truncated JPEG grey and report success, and they allocate
what a header asks for. Both are found out here, from the bytes alone.

Sources: ITU-T T.81 (JPEG) annex B; RFC 2083 (PNG) section 3.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

__all__ = ["ImageHeader", "read_header"]

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN = 0xDA
_END_OF_IMAGE = b"\xff\xd9"


@dataclass(frozen=True)
class ImageHeader:
    """Format and size of an encoded image.

    Attributes:
        format: `jpeg`, `png`, `bmp`, `webp`, `tiff`.
        width: Pixels, as stored (before EXIF orientation); 0 where only the decoder knows.
        height: Likewise.
        complete: False where the end of the image is missing.
    """

    format: str
    width: int
    height: int
    complete: bool


def read_header(data: bytes) -> ImageHeader | None:
    """The header of an encoded image, or None where it is no image of a known format."""
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg(data)
    if data.startswith(_PNG_SIGNATURE):
        return _png(data)
    if data.startswith(b"BM"):
        return ImageHeader("bmp", 0, 0, _declared_size(data, 2) <= len(data))
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return ImageHeader("webp", 0, 0, _declared_size(data, 4) + 8 <= len(data))
    if data.startswith((b"II*\x00", b"MM\x00*")):
        return ImageHeader("tiff", 0, 0, True)
    return None


def _declared_size(data: bytes, offset: int) -> int:
    field = data[offset : offset + 4]
    return int(struct.unpack("<I", field)[0]) if len(field) == 4 else 1 << 40


def _png(data: bytes) -> ImageHeader | None:
    if len(data) < 24:
        return None
    width, height = struct.unpack(">II", data[16:24])
    position, kind = len(_PNG_SIGNATURE), b""
    while kind != b"IEND" and position + 12 <= len(data):  # length, kind, content, checksum
        (length,) = struct.unpack(">I", data[position : position + 4])
        kind = data[position + 4 : position + 8]
        position += 12 + length
    return ImageHeader("png", width, height, kind == b"IEND")


def _jpeg(data: bytes) -> ImageHeader | None:
    """Walk the segments up to the first scan; thumbnails lie inside them, so are not met."""
    width = height = 0
    position = 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        (length,) = struct.unpack(">H", data[position + 2 : position + 4])
        if marker in _START_OF_FRAME and position + 9 <= len(data):
            height, width = struct.unpack(">HH", data[position + 5 : position + 9])
        if marker == _START_OF_SCAN:
            complete = data.rfind(_END_OF_IMAGE, position) >= 0
            return ImageHeader("jpeg", width, height, complete and width > 0)
        position += 2 + length
    return ImageHeader("jpeg", width, height, complete=False)
