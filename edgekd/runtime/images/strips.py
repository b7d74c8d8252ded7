"""Whether the compressed strips or tiles of a TIFF unpack to the pixels that it declares.

libtiff says on stderr that it met a code that is not in the table yet, and goes on with what it
has. Uncompressed strips cannot tell damage from pixels.

Source: TIFF revision 6.0, sections 9 (PackBits) and 13 (LZW); Adobe's TIFF technical note 3
(deflate).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

from edgekd.runtime.images.header import Unreadable

__all__ = ["unpacks_to"]

_CLEAR, _END = 256, 257
_SPARE = 4  # bytes behind the last code: the end's own code, and what fills up the strip


def unpacks_to(compression: int, piece: memoryview, wanted: int) -> bool:
    """Whether a strip or tile has the pixels of its picture, all and no more.

    Args:
        compression: The TIFF's, one of those that `tiff` reads.
        piece: Its bytes.
        wanted: Bytes of its pixels.
    """
    kinds: dict[int, Callable[[memoryview, int], bool]] = {
        1: _plain, 5: _lzw, 8: _deflate, 32946: _deflate, 32773: _packbits,
    }  # fmt: skip
    return compression not in kinds or kinds[compression](piece, wanted)


def _plain(piece: memoryview, wanted: int) -> bool:
    """By its length."""
    return 0 <= len(piece) - wanted <= _SPARE


def _deflate(piece: memoryview, wanted: int) -> bool:
    """By its checksum."""
    unpacker = zlib.decompressobj()
    try:
        found = len(unpacker.decompress(piece, wanted + 1))
        unpacker.decompress(unpacker.unconsumed_tail, 1)
    except zlib.error:
        return False
    return found == wanted and unpacker.eof


def _packbits(piece: memoryview, wanted: int) -> bool:
    """By the lengths of its runs."""
    place = found = 0
    while found < wanted and place < len(piece):
        control = piece[place]
        found += control + 1 if control < 128 else 257 - control if control > 128 else 0
        place += control + 2 if control < 128 else 2 if control > 128 else 1
    return found == wanted and 0 <= len(piece) - place <= _SPARE


def _lzw(piece: memoryview, wanted: int) -> bool:
    """By the lengths of what its codes stand for; each code adds one to the table."""
    if len(piece) > 1 and piece[0] == 0 and piece[1] & 1:
        hint = "save it as PNG or as an 8-bit RGB TIFF of one page"
        raise Unreadable("is a TIFF with a compression that is not read", hint)
    lengths, width, last, found = [1] * 258, 9, 0, 0
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
        found += last
        if found >= wanted:
            return found == wanted and len(piece) - place - 1 <= _SPARE
        width += len(lengths) + 1 in (512, 1024, 2048)
    return False
