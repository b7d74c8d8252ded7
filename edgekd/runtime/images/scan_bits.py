"""The entropy-coded bits of a JPEG scan, with table lookups for a code beginning at each bit.

Source: ITU-T T.81, B.1.1.5 (stuffed zeros) and E.1.4 (restart intervals).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from edgekd.runtime.images.huffman import CodeError, HuffmanTable, numbers_by_bits
from edgekd.runtime.images.jpeg_scans import Scan, without_tables

__all__ = ["ScanBits", "lookup_groups", "restart_intervals"]

_RESTART = re.compile(rb"\xff+([\xd0-\xd7])")
_PADDING = 600  # zero bytes after the data, more than a block can take
_GROUP = 1 << 18  # bytes looked up at once


def restart_intervals(data: bytes, scan: Scan) -> list[bytes]:
    """The data between restart markers, without the stuffed zero after each byte 0xFF.

    Raises:
        CodeError: The picture needs another number of markers, or they are out of order.
    """
    parts = _RESTART.split(data[scan.start : scan.end])
    numbers = [number[0] & 7 for number in parts[1::2]]
    needed = -(-scan.units // scan.interval) - 1 if scan.restarts else 0
    if numbers != [n % 8 for n in range(needed)]:
        raise CodeError
    return [part.rstrip(b"\xff").replace(b"\xff\0", b"\xff") for part in parts[::2]]


def lookup_groups(intervals: list[bytes]) -> Iterator[list[bytes]]:
    """Intervals in groups of at most 256 KiB; a longer interval is a group of its own."""
    group: list[bytes] = []
    for interval in intervals:
        if group and sum(map(len, group)) + len(interval) > _GROUP:
            yield group
            group = []
        group.append(interval)
    yield group


class ScanBits:
    """The bits of some restart intervals.

    Attributes:
        spans: First bit of each interval, and the bit after its last one.
        ahead: The next 16 bits from each bit position, uint16.
    """

    def __init__(self, intervals: list[bytes]) -> None:
        ends = np.cumsum([len(interval) for interval in intervals]).tolist()
        self.spans = [(8 * e - 8 * len(p), 8 * e) for p, e in zip(intervals, ends, strict=True)]
        octets = np.frombuffer(b"".join(intervals) + bytes(_PADDING), np.uint8).astype(np.uint32)
        wide = octets[:-2] << 16 | octets[1:-1] << 8 | octets[2:]
        shifts = np.arange(8, 0, -1, dtype=np.uint32)
        self.ahead = (wide[:, None] >> shifts).astype(np.uint16).reshape(-1)
        self._known: dict[tuple[HuffmanTable, str], bytes] = {}

    def looked_up(self, table: HuffmanTable | None, kind: str) -> bytes:
        """The entry of `edgekd.runtime.images.huffman.numbers_by_bits` for each bit position.

        Raises:
            Unreadable: The JPEG lacks the table.
            CodeError: The table contradicts itself.
        """
        if table is None:
            raise without_tables()
        key = (table, kind)
        if key not in self._known:
            self._known[key] = numbers_by_bits(table, kind)[self.ahead].tobytes()
        return self._known[key]

    def further_blocks(self, place: int, run: int) -> int:
        """Number of blocks after the current one in a run of empty blocks (EOBRUN − 1)."""
        return (1 << run) - 1 + (int(self.ahead[place]) >> (16 - run))
