"""Whether the compressed strips or tiles of a TIFF unpack to the pixels that it declares.

libtiff only warns on stderr about a code that is not in the table yet, and goes on. Damage in
uncompressed strips cannot be detected.

Source: TIFF revision 6.0, sections 9 (PackBits) and 13 (LZW); Adobe's TIFF technical note 3
(deflate).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

from edgekd.runtime.images.header import Unreadable

__all__ = ["unpacks_to"]

_CLEAR, _END = 256, 257
_SPARE = 4  # bytes after the last pixel's code: end code and padding


def unpacks_to(compression: int, piece: memoryview, expected: int) -> bool:
    """Whether a strip or tile unpacks to exactly the pixels of its part of the picture.

    Args:
        compression: Value of the TIFF's tag, one that `tiff` reads.
        piece: Bytes of the strip or tile.
        expected: Number of bytes of its pixels.
    """
    kinds: dict[int, Callable[[memoryview, int], bool]] = {
        1: _plain, 5: _lzw, 8: _deflate, 32946: _deflate, 32773: _packbits,
    }  # fmt: skip
    return compression not in kinds or kinds[compression](piece, expected)


def _plain(piece: memoryview, expected: int) -> bool:
    """Check uncompressed data by their length."""
    return 0 <= len(piece) - expected <= _SPARE


def _deflate(piece: memoryview, expected: int) -> bool:
    """Check deflate data by their length and checksum."""
    unpacker = zlib.decompressobj()
    try:
        unpacked = len(unpacker.decompress(piece, expected + 1))
        unpacker.decompress(unpacker.unconsumed_tail, 1)
    except zlib.error:
        return False
    return unpacked == expected and unpacker.eof


def _packbits(piece: memoryview, expected: int) -> bool:
    """Check PackBits data by the lengths of their runs."""
    place = unpacked = 0
    while unpacked < expected and place < len(piece):
        control = piece[place]
        unpacked += control + 1 if control < 128 else 257 - control if control > 128 else 0
        place += control + 2 if control < 128 else 2 if control > 128 else 1
    return unpacked == expected and 0 <= len(piece) - place <= _SPARE


def _lzw(piece: memoryview, expected: int) -> bool:
    """Check LZW data by the lengths of the decoded strings; each code adds one to the table."""
    if len(piece) > 1 and piece[0] == 0 and piece[1] & 1:
        hint = "save it as PNG or as an 8-bit RGB TIFF of one page"
        raise Unreadable("is a TIFF with a compression that is not read", hint)
    lengths, width, last, unpacked = [1] * 258, 9, 0, 0
    bits = ahead = 0
    for place, octet in enumerate(piece):
        ahead = (ahead & 0xFFFFF) << 8 | octet
        bits += 8
        if bits < width:
            continue
        bits -= width
        code = ahead >> bits & (1 << width) - 1
        if code == _CLEAR:
            lengths, width, last = lengths[:258], 9, 0
            continue
        if code == _END:
            return False
        if last:
            lengths.append(last + 1)
        if code >= len(lengths) or len(lengths) > 4096:
            return False
        last = lengths[code]
        unpacked += last
        if unpacked >= expected:
            return unpacked == expected and len(piece) - place - 1 <= _SPARE
        width += len(lengths) + 1 in (512, 1024, 2048)
    return False
