"""Whether the compressed data of a JPEG are the picture's that its header declares: all, no more.

A file whose middle is gone, or was overwritten, still decodes: the decoder loses its place, goes on
with whatever it finds, paints what is missing grey, and says so on stderr at most. Here the codes
are counted instead. Each scan must end, bit for bit, where the last block of its picture ends, and
no code may be met that the tables do not have; the same between restart markers. Damage of a few
bytes that happens to leave the number of blocks as it was is not found: no decoder finds that.

No coefficient is computed. In numpy each bit of a scan is looked up as if a code began there, and a
loop then hops from code to code. That takes ten to forty times as long as the decoder, so
`edgekd.runtime.images.decoding` asks only where the decoder itself cannot tell.

Source: ITU-T T.81, annexes B (markers), F.2 (sequential) and G.2 (progressive); T.81 K.2 for the
code of ones that no encoder uses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekd.runtime.images import jpeg
from edgekd.runtime.images.header import Unreadable, corrupt, damaged

__all__ = ["SPARE", "Scan", "check", "scans"]

SPARE = 3
"""Bytes that may be left at a scan's end: some encoders fill up to an even length."""

MAX_WALKED = 4_000_000
"""Bytes of a progressive file that are walked through, in some seconds; more are refused."""

MAX_RESTARTED = 1_000_000
"""Bytes of another file that are walked through. In a longer one restart markers are counted, which
leaves the damage of less than one interval, a row of blocks for the most part, unseen."""

_TABLES, _RESTARTS = 0xC4, 0xDD
_RESTART = re.compile(rb"\xff+([\xd0-\xd7])")
_LEAST = 600  # bytes of zeros behind the data, more than a block can take
_END, _BAD = 128, 255  # steps beyond every coefficient: the block ends, no such code
_SKIP, _RUN = 16, 32  # kinds of a progressive code: sixteen zeros, and a run of empty blocks
_GROUP = 1 << 18  # bytes that are looked up at once


Found = NDArray[np.uint8]


class Component(NamedTuple):
    """One channel of the frame: its number, and blocks of an MCU across and down."""

    number: int
    across: int
    down: int


@dataclass(frozen=True)
class Frame:
    """What the frame header declares."""

    width: int
    height: int
    components: tuple[Component, ...]
    progressive: bool

    @property
    def most_across(self) -> int:
        """Blocks of an MCU across, in the channel that has most."""
        return max(c.across for c in self.components)

    @property
    def most_down(self) -> int:
        """Blocks of an MCU down, in the channel that has most."""
        return max(c.down for c in self.components)

    def mcus(self) -> int:
        """Units of a scan of several channels."""
        across = -(-self.width // (8 * self.most_across))
        return across * -(-self.height // (8 * self.most_down))

    def blocks(self, component: Component) -> int:
        """Units of a scan of one channel."""
        width = -(-self.width * component.across // self.most_across)
        height = -(-self.height * component.down // self.most_down)
        return -(-width // 8) * -(-height // 8)


class Code(NamedTuple):
    """A Huffman table: how many codes there are of each length 1 … 16, and what they mean."""

    counts: bytes
    symbols: bytes


@dataclass(frozen=True)
class Scan:
    """One pass over the picture, `data[start:end]`, and what it is coded by.

    Attributes:
        frame: The picture.
        members: Its channels.
        first: Lowest coefficient of the band.
        last: Highest coefficient of the band.
        high: Bit position of the pass that this one refines; 0 where it is the first.
        low: Bit position that it brings the band to.
        dc: Table of each channel, None where there is none.
        ac: Likewise.
        interval: Units between two restart markers; 0 without.
        start: Where its entropy-coded data begin.
        end: And end: there stands the next marker.
    """

    frame: Frame
    members: tuple[Component, ...]
    first: int
    last: int
    high: int
    low: int
    dc: tuple[Code | None, ...]
    ac: tuple[Code | None, ...]
    interval: int
    start: int
    end: int

    @property
    def units(self) -> int:
        """Minimum coded units that it consists of."""
        if len(self.members) == 1:
            return self.frame.blocks(self.members[0])
        return self.frame.mcus()

    @property
    def restarts(self) -> bool:
        """Whether restart markers stand in it."""
        return 0 < self.interval < self.units

    @property
    def alone(self) -> bool:
        """Whether it holds the whole picture, so that no other is read."""
        return not self.frame.progressive and len(self.members) == len(self.frame.components)


# From markers to scans ---------------------------------------------------------------------------


def scans(data: bytes) -> Iterator[Scan]:
    """The scans of a JPEG that `jpeg.read` took for whole, with the tables that they meet.

    Raises:
        Unreadable: A header contradicts itself.
    """
    frame: Frame | None = None
    tables: dict[int, Code] = {}
    interval = 0
    for marker, start, end in jpeg.segments(data):
        body = data[start:end]
        if marker in (0xC0, 0xC1, 0xC2):
            frame = _frame(marker, body)
        elif marker == _TABLES:
            tables |= _codes(body)
        elif marker == _RESTARTS:
            interval = int.from_bytes(body[:2], "big")
        elif marker == 0xDA:
            if frame is None:
                raise damaged("jpeg")
            stop = jpeg.end_of_scan(data, end)
            yield _scan(frame, body, tables, interval, end, stop)


def _frame(marker: int, body: bytes) -> Frame:
    height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    triples = (body[place : place + 2] for place in range(6, len(body), 3))
    components = tuple(Component(two[0], two[1] >> 4, two[1] & 15) for two in triples)
    if not all(0 < c.across <= 4 and 0 < c.down <= 4 for c in components):
        raise damaged("jpeg")
    if len(components) == 1:  # its blocks follow each other whatever factors are written
        components = (Component(components[0].number, 1, 1),)
    return Frame(width, height, components, progressive=marker == 0xC2)


def _codes(body: bytes) -> dict[int, Code]:
    """The tables of a segment by class and number, 0x00 … 0x13."""
    found, place = {}, 0
    while place + 17 <= len(body):
        counts = body[place + 1 : place + 17]
        symbols = body[place + 17 : place + 17 + sum(counts)]
        found[body[place]] = Code(counts, symbols)
        place += 17 + len(symbols)
    return found


def _scan(
    frame: Frame, body: bytes, tables: dict[int, Code], interval: int, start: int, end: int
) -> Scan:
    count = body[0] if body else 0
    if len(body) != 4 + 2 * count or not 0 < count <= len(frame.components):
        raise damaged("jpeg")
    known = {component.number: component for component in frame.components}
    pairs = [(body[1 + 2 * n], body[2 + 2 * n]) for n in range(count)]
    if len({number for number, _ in pairs} & known.keys()) != count:
        raise damaged("jpeg")
    first, last, bits = body[-3:] if frame.progressive else (0, 63, 0)
    high, low = bits >> 4, bits & 15
    mixed = frame.progressive and (first == 0) != (last == 0)
    if first > last or last > 63 or mixed or (first and count > 1):
        raise damaged("jpeg")
    return Scan(
        frame,
        tuple(known[number] for number, _ in pairs),
        first,
        last,
        high,
        low,
        tuple(tables.get(chosen >> 4) for _, chosen in pairs),
        tuple(tables.get(0x10 | chosen & 15) for _, chosen in pairs),
        interval,
        start,
        end,
    )


# From scans to the verdict -----------------------------------------------------------------------


class _Lost(Exception):  # noqa: N818 - the walk has lost its place
    """The data are not those of the picture."""


def check(data: bytes) -> None:
    """Walk through all codes of a JPEG that `jpeg.read` took for whole.

    Raises:
        Unreadable: The data are not those of its picture, or too long to be walked through.
    """
    passes = _read_by_the_decoder(data)
    walk = _walk
    limit = MAX_WALKED if passes[0].frame.progressive else MAX_RESTARTED
    if sum(scan.end - scan.start for scan in passes) > limit:
        walk = _count_restarts
    history: dict[int, _History] = {}
    try:
        for scan in passes:
            walk(data, scan, history)
            _follow(scan, history)
        if any(history[c.number].unfinished for c in passes[0].frame.components):
            raise _Lost
    except (_Lost, LookupError):  # beyond the zeros behind the data; a channel without a scan
        raise corrupt("jpeg") from None


def _read_by_the_decoder(data: bytes) -> list[Scan]:
    passes = []
    for scan in scans(data):
        passes.append(scan)
        if scan.alone:
            break
    return passes


def _count_restarts(data: bytes, scan: Scan, history: dict[int, _History]) -> None:
    """All that is done where a walk would take too long: each marker guards what lies before it."""
    if scan.frame.progressive:
        hint = "save it as an ordinary (baseline) JPEG"
        raise Unreadable("is a progressive JPEG too long to be checked for damage", hint)
    _pieces(data, scan)


@dataclass
class _History:
    """What the earlier passes made of a channel.

    Attributes:
        found: 64 bytes for each block: 1 where a coefficient is not zero.
        bits: Bit position that each coefficient was brought to; −1: not yet met.
    """

    found: Found
    bits: list[int] = field(default_factory=lambda: [-1] * 64)

    @property
    def unfinished(self) -> bool:
        """Whether some coefficient is still to come, or bits of it."""
        return any(self.bits)


def _walk(data: bytes, scan: Scan, history: dict[int, _History]) -> None:
    done = 0
    for pieces in _grouped(_pieces(data, scan)):
        bits = _Bits(pieces)
        for start, end in bits.spans:
            count = min(scan.interval or scan.units, scan.units - done)
            stop = _pass(scan, bits, start, done, count, history)
            if not end - 8 * (SPARE + 1) < stop <= end:
                raise _Lost
            done += count
    if done != scan.units:
        raise _Lost


def _follow(scan: Scan, history: dict[int, _History]) -> None:
    """Passes of a band come in order: the first, then one bit after the other."""
    for member in scan.members:
        progressive = scan.frame.progressive
        blocks = scan.frame.blocks(member) if progressive else 0
        past = history.setdefault(member.number, _History(np.zeros(64 * blocks, np.uint8)))
        for k in range(scan.first, scan.last + 1):
            if scan.high != max(past.bits[k], 0) or (k and past.bits[0] < 0):
                raise _Lost
            past.bits[k] = scan.low


def _pieces(data: bytes, scan: Scan) -> list[bytes]:
    """The data between restart markers, without the zeros that follow a byte 0xFF."""
    parts = _RESTART.split(data[scan.start : scan.end])
    numbers = [number[0] & 7 for number in parts[1::2]]
    wanted = -(-scan.units // scan.interval) - 1 if scan.restarts else 0
    if numbers != [n % 8 for n in range(wanted)]:
        raise _Lost
    return [part.rstrip(b"\xff").replace(b"\xff\0", b"\xff") for part in parts[::2]]


def _grouped(pieces: list[bytes]) -> Iterator[list[bytes]]:
    group: list[bytes] = []
    for piece in pieces:
        if group and sum(map(len, group)) + len(piece) > _GROUP:
            yield group
            group = []
        group.append(piece)
    yield group


class _Bits:
    """The bits of some pieces, each looked up in the tables as if a code began there.

    Attributes:
        spans: Where each piece begins and ends.
        ahead: The 16 bits from each bit on.
    """

    def __init__(self, pieces: list[bytes]) -> None:
        ends = np.cumsum([len(piece) for piece in pieces]).tolist()
        self.spans = [(8 * e - 8 * len(p), 8 * e) for p, e in zip(pieces, ends, strict=True)]
        octets = np.frombuffer(b"".join(pieces) + bytes(_LEAST), np.uint8).astype(np.uint32)
        wide = octets[:-2] << 16 | octets[1:-1] << 8 | octets[2:]
        shifts = np.arange(8, 0, -1, dtype=np.uint32)
        self.ahead = (wide[:, None] >> shifts).astype(np.uint16).reshape(-1)
        self._known: dict[tuple[Code, str], bytes] = {}

    def looked_up(self, code: Code | None, kind: str) -> bytes:
        """One number for each bit: of `dc` the bits to the next code; of `ac` likewise; of `step`
        the coefficients that are passed; of `kind` how many zeros come before one that is not, or
        that sixteen do, or that a run of blocks is empty; of `bit` the same where no other is two.
        """
        if code is None:
            message = "is a JPEG without its code tables, as cut out of a video"
            raise Unreadable(message, "save it as an ordinary JPEG")
        key = (code, kind)
        if key not in self._known:
            self._known[key] = _numbers(code, kind)[self.ahead].tobytes()
        return self._known[key]

    def others(self, place: int, run: int) -> int:
        """Blocks after this one that are empty from here on as well (EOBRUN − 1)."""
        return (1 << run) - 1 + (int(self.ahead[place]) >> (16 - run))


def _spread(code: Code) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """By the 16 bits that begin with a code, its length (0: there is none) and its symbol.

    Codes of one length are consecutive, and each longer one follows the last (T.81, C.2).
    """
    lengths = [length for length, count in enumerate(code.counts, start=1) for _ in range(count)]
    spans = [1 << (16 - length) for length in lengths]
    rest = (1 << 16) - sum(spans)
    if len(code.symbols) != len(spans) or rest < 0:
        raise _Lost
    length = np.repeat(np.array([*lengths, 0], np.uint8), [*spans, rest])
    return length, np.repeat(np.frombuffer(code.symbols + b"\0", np.uint8), [*spans, rest])


@lru_cache(maxsize=64)
def _numbers(code: Code, kind: str) -> NDArray[np.uint8]:
    """By 16 bits, what `_Bits.looked_up` gives."""
    length, symbol = _spread(code)
    run, size = symbol >> 4, symbol & 15
    if kind == "dc":
        return np.where((length > 0) & (symbol < 16), length + symbol, 0).astype(np.uint8)
    if kind == "ac":
        return (length + size).astype(np.uint8)
    if kind == "step":
        step = np.where((size > 0) | (run == 15), run + 1, _END)
        return np.where(length > 0, step, _BAD).astype(np.uint8)
    kinds = np.where(size > 0, run, np.where(run == 15, _SKIP, _RUN + run))
    good = length > 0 if kind == "kind" else (length > 0) & (size < 2)
    return np.where(good, kinds, _BAD).astype(np.uint8)


def _pass(
    scan: Scan, bits: _Bits, place: int, done: int, count: int, history: dict[int, _History]
) -> int:
    """The bit after `count` units that begin at bit `place`."""
    if not scan.frame.progressive:
        return _sequential(scan, bits, place, count)
    if scan.first == 0:
        return _constant(scan, bits, place, count)
    found = history[scan.members[0].number].found  # its constants came first
    blocks = range(done, done + count)
    if scan.high:
        return _refined(scan, bits, place, blocks, found)
    return _band(scan, bits, place, blocks, found)


def _blocks(scan: Scan) -> list[int]:
    """The channel, counted within the scan, of each block of a unit."""
    if len(scan.members) == 1:
        return [0]
    return [n for n, c in enumerate(scan.members) for _ in range(c.across * c.down)]


def _sequential(scan: Scan, bits: _Bits, place: int, count: int) -> int:
    blocks = [
        (bits.looked_up(dc, "dc"), bits.looked_up(ac, "ac"), bits.looked_up(ac, "step"))
        for dc, ac in ((scan.dc[n], scan.ac[n]) for n in _blocks(scan))
    ]
    for _ in range(count):
        for first, further, step in blocks:
            if not first[place]:
                raise _Lost
            place += first[place]
            k = 0
            while k < 63:
                k += step[place]
                place += further[place]
            if k != 63 and not _END <= k < _BAD:
                raise _Lost
    return place


def _constant(scan: Scan, bits: _Bits, place: int, count: int) -> int:
    """The first coefficients, or one more bit of each."""
    members = _blocks(scan)
    if scan.high:
        return place + count * len(members)
    blocks = [bits.looked_up(scan.dc[n], "dc") for n in members]
    for _ in range(count):
        for first in blocks:
            if not first[place]:
                raise _Lost
            place += first[place]
    return place


def _band(scan: Scan, bits: _Bits, place: int, blocks: range, found: Found) -> int:
    """The first pass over a band, which notes what is not zero."""
    code = scan.ac[0]
    kinds, further = bits.looked_up(code, "kind"), bits.looked_up(code, "ac")
    width, block, fresh = scan.last + 1 - scan.first, blocks.start, []
    while block < blocks.stop:
        k, base = 0, 64 * block + scan.first
        block += 1
        while k < width:
            kind = kinds[place]
            place += further[place]
            if kind < _SKIP:
                k += kind
                if k >= width:
                    raise _Lost
                fresh.append(base + k)
                k += 1
            elif kind == _SKIP:
                k += 16
            elif kind < _BAD:
                block += bits.others(place, kind - _RUN)
                place += kind - _RUN
                break
            else:
                raise _Lost
    if block != blocks.stop:
        raise _Lost
    found[fresh] = 1
    return place


def _refined(scan: Scan, bits: _Bits, place: int, blocks: range, found: Found) -> int:
    """One more bit of a band: each coefficient that is not zero yet takes one as it is passed."""
    code = scan.ac[0]
    kinds, further = bits.looked_up(code, "bit"), bits.looked_up(code, "ac")
    width, block, fresh = scan.last + 1 - scan.first, 0, []
    zeros, begins = _zeros(scan, blocks, found)
    while block < len(blocks):
        zero, last = begins[block], begins[block + 1]
        k, base = 0, 64 * blocks[block] + scan.first
        block += 1
        while k < width:
            kind = kinds[place]
            place += further[place]
            if kind < _SKIP:
                zero += kind
                if zero >= last:
                    raise _Lost
                here = zeros[zero]
                zero += 1
                fresh.append(base + here)
                place += here - k - kind
                k = here + 1
            elif kind == _SKIP:
                passed = min(16, last - zero)
                zero += passed
                after = zeros[zero - 1] + 1 if passed == 16 else width
                place += after - k - passed
                k = after
            elif kind < _BAD:
                others = bits.others(place, kind - _RUN)
                place += kind - _RUN + width * (others + 1) - k - (begins[block + others] - zero)
                block += others
                break
            else:
                raise _Lost
    found[fresh] = 1
    return place


def _zeros(scan: Scan, blocks: range, found: Found) -> tuple[bytes, list[int]]:
    """Which coefficients of the band are zero yet, block after block, and where each begins."""
    past = found.reshape(-1, 64)[blocks.start : blocks.stop, scan.first : scan.last + 1] == 0
    begins = np.concatenate([[0], np.cumsum(past.sum(axis=1))])
    return np.nonzero(past)[1].astype(np.uint8).tobytes(), begins.tolist()
