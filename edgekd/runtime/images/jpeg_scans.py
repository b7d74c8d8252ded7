"""The scans of a JPEG: passes over the picture, with their Huffman tables.

Source: ITU-T T.81, annex B (markers) and G.1.1 (scans of a progressive picture).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from edgekd.runtime.images.header import Unreadable, damaged_image
from edgekd.runtime.images.huffman import HuffmanTable
from edgekd.runtime.images.jpeg import end_of_scan, segments

__all__ = ["Component", "JpegFrame", "Scan", "scans_of", "without_tables"]

_TABLES, _RESTARTS, _SCAN = 0xC4, 0xDD, 0xDA
_FRAMES, _PROGRESSIVE = (0xC0, 0xC1, 0xC2), 0xC2


class Component(NamedTuple):
    """One channel of the frame: its number, and its blocks across and down an MCU."""

    number: int
    across: int
    down: int


@dataclass(frozen=True)
class JpegFrame:
    """The picture as its frame header declares it; width and height in pixels."""

    width: int
    height: int
    components: tuple[Component, ...]
    progressive: bool

    @property
    def most_across(self) -> int:
        """Blocks across an MCU, of the channel with most."""
        return max(c.across for c in self.components)

    @property
    def most_down(self) -> int:
        """Blocks down an MCU, of the channel with most."""
        return max(c.down for c in self.components)

    def units(self) -> int:
        """Number of MCUs of a scan of several channels."""
        across = -(-self.width // (8 * self.most_across))
        return across * -(-self.height // (8 * self.most_down))

    def blocks(self, component: Component) -> int:
        """Number of blocks of a scan of one channel."""
        width = -(-self.width * component.across // self.most_across)
        height = -(-self.height * component.down // self.most_down)
        return -(-width // 8) * -(-height // 8)


@dataclass(frozen=True)
class Scan:
    """One pass over the picture, coded in `data[start:end]`.

    Attributes:
        frame: The picture.
        members: Its channels in this scan.
        first: Lowest coefficient of the band.
        last: Highest coefficient of the band.
        high: Bit position of the scan that this one refines (Ah); 0 where it is the first.
        low: Bit position of the band after this scan (Al).
        dc: DC table by channel; None where it is missing.
        ac: AC table by channel; None where it is missing.
        interval: Units between two restart markers; 0 without them.
        start: Where the entropy-coded data begin.
        end: Where they end: at the next marker.
    """

    frame: JpegFrame
    members: tuple[Component, ...]
    first: int
    last: int
    high: int
    low: int
    dc: tuple[HuffmanTable | None, ...]
    ac: tuple[HuffmanTable | None, ...]
    interval: int
    start: int
    end: int

    @property
    def units(self) -> int:
        """Number of coded units: blocks if there is one channel, else minimum coded units (MCU)."""
        if len(self.members) == 1:
            return self.frame.blocks(self.members[0])
        return self.frame.units()

    @property
    def channels(self) -> list[int]:
        """The channel, counted within the scan, of each block of a unit."""
        if len(self.members) == 1:
            return [0]
        return [n for n, c in enumerate(self.members) for _ in range(c.across * c.down)]

    @property
    def restarts(self) -> bool:
        """Whether the scan contains restart markers."""
        return 0 < self.interval < self.units

    @property
    def alone(self) -> bool:
        """Whether it holds the whole picture, so that decoders read no other."""
        return not self.frame.progressive and len(self.members) == len(self.frame.components)


def without_tables() -> Unreadable:
    """The error for a scan that lacks a code table; some decoders take the usual ones instead."""
    message = "is a JPEG without its code tables, as cut out of a video"
    return Unreadable(message, "save it as an ordinary JPEG")


def scans_of(data: bytes) -> Iterator[Scan]:
    """The scans of a JPEG that `read_jpeg` found complete, each with the tables in force there.

    Raises:
        Unreadable: A header contradicts itself.
    """
    frame: JpegFrame | None = None
    tables: dict[int, HuffmanTable] = {}
    interval = 0
    for marker, start, end in segments(data):
        body = data[start:end]
        if marker in _FRAMES:
            frame = _frame(marker, body)
        elif marker == _TABLES:
            tables |= _tables(body)
        elif marker == _RESTARTS:
            interval = int.from_bytes(body[:2], "big")
        elif marker == _SCAN:
            if frame is None:
                raise damaged_image("jpeg")
            yield _scan(frame, body, tables, interval, end, end_of_scan(data, end))


def _frame(marker: int, body: bytes) -> JpegFrame:
    height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    triples = (body[place : place + 2] for place in range(6, len(body), 3))
    components = tuple(Component(two[0], two[1] >> 4, two[1] & 15) for two in triples)
    if not all(0 < c.across <= 4 and 0 < c.down <= 4 for c in components):
        raise damaged_image("jpeg")
    if len(components) == 1:  # one block per unit, whatever its sampling factors
        components = (Component(components[0].number, 1, 1),)
    return JpegFrame(width, height, components, progressive=marker == _PROGRESSIVE)


def _tables(body: bytes) -> dict[int, HuffmanTable]:
    """The Huffman tables of a DHT segment by class and number, 0x00 … 0x13."""
    tables, place = {}, 0
    while place + 17 <= len(body):
        counts = body[place + 1 : place + 17]
        symbols = body[place + 17 : place + 17 + sum(counts)]
        tables[body[place]] = HuffmanTable(counts, symbols)
        place += 17 + len(symbols)
    return tables


def _scan(
    frame: JpegFrame,
    body: bytes,
    tables: dict[int, HuffmanTable],
    interval: int,
    start: int,
    end: int,
) -> Scan:
    count = body[0] if body else 0
    if len(body) != 4 + 2 * count or not 0 < count <= len(frame.components):
        raise damaged_image("jpeg")
    known = {component.number: component for component in frame.components}
    pairs = [(body[1 + 2 * n], body[2 + 2 * n]) for n in range(count)]
    if len({number for number, _ in pairs} & known.keys()) != count:
        raise damaged_image("jpeg")
    first, last, bits = body[-3:] if frame.progressive else (0, 63, 0)
    mixed = frame.progressive and (first == 0) != (last == 0)
    if first > last or last > 63 or mixed or (first and count > 1):
        raise damaged_image("jpeg")
    return Scan(
        frame=frame,
        members=tuple(known[number] for number, _ in pairs),
        first=first,
        last=last,
        high=bits >> 4,
        low=bits & 15,
        dc=tuple(tables.get(chosen >> 4) for _, chosen in pairs),
        ac=tuple(tables.get(0x10 | chosen & 15) for _, chosen in pairs),
        interval=interval,
        start=start,
        end=end,
    )
