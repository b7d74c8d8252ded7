"""BMP: uncompressed files of 24 or 32 bits, or with a palette of 256 colours.

Source: Microsoft, BITMAPFILEHEADER, BITMAPINFOHEADER and BITMAPV5HEADER.
"""

from __future__ import annotations

import struct

from edgekd.runtime.images.header import ImageHeader, Unreadable, damaged_image

__all__ = ["BMP_SIGNATURE", "bmp_profile", "read_bmp"]

BMP_SIGNATURE = b"BM"

_INFO_HEADERS = (40, 52, 56, 108, 124)
_EMBEDDED, _LINKED = b"DEBM", b"KNIL"  # where the colour profile of a version 5 is
_PLAIN = ((8, 0), (24, 0), (32, 0))


def read_bmp(data: bytes) -> ImageHeader:
    """The header of a BMP.

    Raises:
        Unreadable: It is compressed, of an unsupported bit depth, or damaged.
    """
    if len(data) < 54:
        return ImageHeader("bmp", 0, 0, complete=False)
    offset, size, width, height = struct.unpack_from("<IIii", data, 10)
    planes, bits, compression = struct.unpack_from("<HHI", data, 26)
    if size not in _INFO_HEADERS or (bits, compression) not in _PLAIN:
        raise Unreadable("is a BMP of a rare kind", "save it as PNG")
    if planes != 1 or width < 0 or offset < 14 + size:
        raise damaged_image("bmp")
    row = (width * bits + 31) // 32 * 4
    complete = offset + row * abs(height) <= len(data)
    return ImageHeader("bmp", width, abs(height), complete)


def bmp_profile(data: bytes) -> bytes | None:
    """The ICC profile of a BMP that `read_bmp` accepted; None where there is none.

    Raises:
        Unreadable: The profile is in another file.
    """
    (size,) = struct.unpack_from("<I", data, 14)
    where = data[70:74] if size == 124 else b""
    if where == _LINKED:
        raise Unreadable("is a BMP with its colour profile in another file", "save it as PNG")
    if where != _EMBEDDED:
        return None
    start, length = struct.unpack_from("<II", data, 126)
    return data[14 + start : 14 + start + length] or b"\0"
