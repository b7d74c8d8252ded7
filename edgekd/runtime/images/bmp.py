"""BMP: the plain kinds, 24 or 32 bits or a palette of 256, uncompressed.

Source: Microsoft, BITMAPFILEHEADER and BITMAPINFOHEADER.
"""

from __future__ import annotations

import struct

from edgekd.runtime.images.header import ImageHeader, Unreadable, damaged

__all__ = ["SIGNATURE", "read"]

SIGNATURE = b"BM"

_INFO_HEADERS = (40, 52, 56, 108, 124)
_PLAIN = ((8, 0), (24, 0), (32, 0))


def read(data: bytes) -> ImageHeader:
    """The header of a BMP.

    Raises:
        Unreadable: It is compressed, of few or rare bits, or damaged.
    """
    if len(data) < 54:
        return ImageHeader("bmp", 0, 0, complete=False)
    offset, size, width, height = struct.unpack_from("<IIii", data, 10)
    planes, bits, compression = struct.unpack_from("<HHI", data, 26)
    if size not in _INFO_HEADERS or (bits, compression) not in _PLAIN:
        raise Unreadable("is a BMP of a rare kind", "save it as PNG")
    if planes != 1 or width < 0 or offset < 14 + size:
        raise damaged("bmp")
    row = (width * bits + 31) // 32 * 4
    complete = offset + row * abs(height) <= len(data)
    return ImageHeader("bmp", width, abs(height), complete)
