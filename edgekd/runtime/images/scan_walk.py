"""Stepping from code to code through a scan of a JPEG, without decoding coefficients.

Source: ITU-T T.81, F.2 (sequential) and G.2 (progressive).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekd.runtime.images.huffman import (
    BLOCK_END,
    EMPTY_BLOCKS,
    NO_CODE,
    SIXTEEN_ZEROS,
    CodeError,
)
from edgekd.runtime.images.jpeg_scans import Scan
from edgekd.runtime.images.scan_bits import ScanBits

__all__ = ["NonZero", "walk_units"]

NonZero = NDArray[np.uint8]
"""64 bytes for each block of a channel: 1 where earlier scans made a coefficient non-zero."""


def walk_units(scan: Scan, bits: ScanBits, place: int, units: range, nonzero: NonZero) -> int:
    """Step through the codes of some coded units.

    Args:
        scan: The scan.
        bits: Its bits, for some restart intervals.
        place: Bit position where the units begin.
        units: Indices of the units in the scan.
        nonzero: State of the channel, updated in place; used only for AC bands of a progressive
            picture.

    Returns:
        The bit after their last code.

    Raises:
        CodeError: A code is not in the tables, or leads beyond a block.
        Unreadable: The JPEG lacks a table.
    """
    if not scan.frame.progressive:
        return _sequential(scan, bits, place, len(units))
    if scan.first == 0:
        return _constants(scan, bits, place, len(units))
    if scan.high:
        return _refined_band(scan, bits, place, units, nonzero)
    return _first_band(scan, bits, place, units, nonzero)


def _sequential(scan: Scan, bits: ScanBits, place: int, count: int) -> int:
    """Step through whole blocks of a sequential picture."""
    blocks = [
        (bits.looked_up(dc, "dc"), bits.looked_up(ac, "ac"), bits.looked_up(ac, "step"))
        for dc, ac in ((scan.dc[n], scan.ac[n]) for n in scan.channels)
    ]
    for _ in range(count):
        for first, further, step in blocks:
            if not first[place]:
                raise CodeError
            place += first[place]
            k = 0
            while k < 63:
                k += step[place]
                place += further[place]
            if k != 63 and not BLOCK_END <= k < NO_CODE:
                raise CodeError
    return place


def _constants(scan: Scan, bits: ScanBits, place: int, count: int) -> int:
    """Step through a DC scan of a progressive picture: the first, or one that adds a bit."""
    channels = scan.channels
    if scan.high:
        return place + count * len(channels)
    blocks = [bits.looked_up(scan.dc[n], "dc") for n in channels]
    for _ in range(count):
        for first in blocks:
            if not first[place]:
                raise CodeError
            place += first[place]
    return place


def _first_band(scan: Scan, bits: ScanBits, place: int, blocks: range, nonzero: NonZero) -> int:
    """Step through the first scan of an AC band, and mark its non-zero coefficients."""
    table = scan.ac[0]
    kinds, further = bits.looked_up(table, "kind"), bits.looked_up(table, "ac")
    width, block, fresh = scan.last + 1 - scan.first, blocks.start, []
    while block < blocks.stop:
        k, base = 0, 64 * block + scan.first
        block += 1
        while k < width:
            kind = kinds[place]
            place += further[place]
            if kind < SIXTEEN_ZEROS:
                k += kind
                if k >= width:
                    raise CodeError
                fresh.append(base + k)
                k += 1
            elif kind == SIXTEEN_ZEROS:
                k += 16
            elif kind < NO_CODE:
                block += bits.further_blocks(place, kind - EMPTY_BLOCKS)
                place += kind - EMPTY_BLOCKS
                break
            else:
                raise CodeError
    if block != blocks.stop:
        raise CodeError
    nonzero[fresh] = 1
    return place


def _refined_band(scan: Scan, bits: ScanBits, place: int, blocks: range, nonzero: NonZero) -> int:
    """Step through a refinement scan of an AC band, which adds a bit to non-zero coefficients."""
    table = scan.ac[0]
    kinds, further = bits.looked_up(table, "bit"), bits.looked_up(table, "ac")
    width, block, fresh = scan.last + 1 - scan.first, 0, []
    zeros, begins = _zeros(scan, blocks, nonzero)
    while block < len(blocks):
        zero, last = begins[block], begins[block + 1]
        k, base = 0, 64 * blocks[block] + scan.first
        block += 1
        while k < width:
            kind = kinds[place]
            place += further[place]
            if kind < SIXTEEN_ZEROS:
                zero += kind
                if zero >= last:
                    raise CodeError
                here = zeros[zero]
                zero += 1
                fresh.append(base + here)
                place += here - k - kind
                k = here + 1
            elif kind == SIXTEEN_ZEROS:
                passed = min(16, last - zero)
                zero += passed
                after = zeros[zero - 1] + 1 if passed == 16 else width
                place += after - k - passed
                k = after
            elif kind < NO_CODE:
                empty = bits.further_blocks(place, kind - EMPTY_BLOCKS)
                place += kind - EMPTY_BLOCKS
                place += width * (empty + 1) - k - (begins[block + empty] - zero)
                block += empty
                break
            else:
                raise CodeError
    nonzero[fresh] = 1
    return place


def _zeros(scan: Scan, blocks: range, nonzero: NonZero) -> tuple[bytes, list[int]]:
    """Indices within the band of coefficients that are still zero, block after block.

    Also returns where the indices of each block begin, and the end of the last one.
    """
    band = nonzero.reshape(-1, 64)[blocks.start : blocks.stop, scan.first : scan.last + 1] == 0
    begins = np.concatenate([[0], np.cumsum(band.sum(axis=1))])
    return np.nonzero(band)[1].astype(np.uint8).tobytes(), begins.tolist()
