"""Check that the compressed data of a JPEG are exactly those of the picture its header declares.

A file whose middle is missing or overwritten still decodes: the decoder loses synchronisation, goes
on with the bytes that follow, fills missing blocks with grey, and warns on stderr at most. Here the
codes are counted instead: each scan, and each interval between restart markers, must end at the
very bit where its last block ends, and every code must be in the tables. Damage of a
few bytes that happens to leave the number of blocks unchanged stays undetected, as in any decoder.

NumPy looks up every bit of a scan as if a code began there; a loop then steps from code to code.
That takes ten to forty times as long as decoding, so `edgekd.runtime.images.decoding` calls
it only where the decoder itself cannot reveal damage.

Source: ITU-T T.81, G.1.1.1 (order of progressive passes).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from edgekd.runtime.images.header import Unreadable, corrupt_image
from edgekd.runtime.images.huffman import CodeError
from edgekd.runtime.images.jpeg_scans import Scan, scans_of
from edgekd.runtime.images.scan_bits import ScanBits, lookup_groups, restart_intervals
from edgekd.runtime.images.scan_walk import NonZero, walk_units

__all__ = ["SPARE", "check_scans"]

SPARE = 3
"""Bytes that may be left at the end of a scan: some encoders pad to an even length."""

MAX_WALKED = 4_000_000
"""Most scan bytes of a progressive file; checking them takes some seconds. More are refused."""

MAX_RESTARTED = 1_000_000
"""Most scan bytes of another file that are checked. In longer ones only restart markers are
counted, so damage within one interval, usually a row of blocks, stays undetected."""

_NONE: NonZero = np.zeros(0, np.uint8)


@dataclass
class _Channel:
    """State of a channel after the scans so far.

    Attributes:
        nonzero: Whether each coefficient of its blocks is non-zero; see `NonZero`.
        bits: Lowest bit position decoded of each of the 64 coefficients; −1 before the first.
    """

    nonzero: NonZero
    bits: list[int] = field(default_factory=lambda: [-1] * 64)

    @property
    def unfinished(self) -> bool:
        """Whether some coefficient, or some of its bits, are still missing."""
        return any(self.bits)


def check_scans(data: bytes) -> None:
    """Check the compressed data of a JPEG that `read_jpeg` found complete.

    Raises:
        Unreadable: They do not match its header, or are too long to be checked.
    """
    passes = _passes(data)
    frame = passes[0].frame
    limit = MAX_WALKED if frame.progressive else MAX_RESTARTED
    check = _walk if sum(scan.end - scan.start for scan in passes) <= limit else _count_restarts
    channels: dict[int, _Channel] = {}
    try:
        for scan in passes:
            check(data, scan, channels)
            _advance(scan, channels)
        if any(channels[c.number].unfinished for c in frame.components):
            raise CodeError
    except (CodeError, LookupError):  # read past the padding, or no scan of a channel
        raise corrupt_image("jpeg") from None


def _passes(data: bytes) -> list[Scan]:
    """The scans that a decoder reads."""
    passes = []
    for scan in scans_of(data):
        passes.append(scan)
        if scan.alone:
            break
    return passes


def _walk(data: bytes, scan: Scan, channels: dict[int, _Channel]) -> None:
    """Walk through all codes of a scan."""
    band = scan.frame.progressive and scan.first > 0
    nonzero = channels[scan.members[0].number].nonzero if band else _NONE
    done = 0
    for intervals in lookup_groups(restart_intervals(data, scan)):
        bits = ScanBits(intervals)
        for start, end in bits.spans:
            units = range(done, min(done + (scan.interval or scan.units), scan.units))
            stop = walk_units(scan, bits, start, units, nonzero)
            if not end - 8 * (SPARE + 1) < stop <= end:
                raise CodeError
            done = units.stop
    if done != scan.units:
        raise CodeError


def _count_restarts(data: bytes, scan: Scan, _: dict[int, _Channel]) -> None:
    """Check only the number of restart markers, for a file too long for `_walk`."""
    if scan.frame.progressive:
        hint = "save it as an ordinary (baseline) JPEG"
        raise Unreadable("is a progressive JPEG too long to be checked for damage", hint)
    restart_intervals(data, scan)


def _advance(scan: Scan, channels: dict[int, _Channel]) -> None:
    """Record the bits that a scan adds; each scan must refine the bits of the one before.

    Raises:
        CodeError: A scan is missing, or comes twice.
    """
    for member in scan.members:
        blocks = scan.frame.blocks(member) if scan.frame.progressive else 0
        channel = channels.setdefault(member.number, _Channel(np.zeros(64 * blocks, np.uint8)))
        for k in range(scan.first, scan.last + 1):
            if scan.high != max(channel.bits[k], 0) or (k and channel.bits[0] < 0):
                raise CodeError
            channel.bits[k] = scan.low
