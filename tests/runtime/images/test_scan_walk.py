from __future__ import annotations

import cv2
import numpy as np
import pytest
from jpegs import encode, make_image

from edgekd.runtime.images.huffman import CodeError
from edgekd.runtime.images.jpeg_scans import scans_of
from edgekd.runtime.images.scan_bits import ScanBits, restart_intervals
from edgekd.runtime.images.scan_walk import walk_units

IMAGE = make_image(50, 30)
NOTHING = np.zeros(0, np.uint8)


def test_a_sequential_scan_ends_with_its_last_block() -> None:
    data = encode(IMAGE)
    (scan,) = scans_of(data)
    (interval,) = restart_intervals(data, scan)
    bits = ScanBits([interval])
    stop = walk_units(scan, bits, 0, range(scan.units), NOTHING)
    assert 0 <= 8 * len(interval) - stop < 8  # bits that fill the last byte
    half = walk_units(scan, bits, 0, range(scan.units // 2), NOTHING)
    assert walk_units(scan, bits, half, range(scan.units // 2, scan.units), NOTHING) == stop


def test_passes_over_a_band_mark_what_is_not_zero() -> None:
    """The coefficients marked by all passes are those that are not zero in the picture."""
    grey = np.asarray(IMAGE[:24, :48, 0])
    data = encode(grey, ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    scans = [scan for scan in scans_of(data) if scan.first > 0]
    assert {scan.high > 0 for scan in scans} == {True, False}
    nonzero = np.zeros(64 * scans[0].units, np.uint8)
    counts = []
    for scan in scans:
        (interval,) = restart_intervals(data, scan)
        stop = walk_units(scan, ScanBits([interval]), 0, range(scan.units), nonzero)
        assert 0 <= 8 * len(interval) - stop < 8
        counts.append(int(nonzero.sum()))
    assert counts == sorted(counts)
    assert not nonzero.reshape(-1, 64)[:, 0].any()  # constants have passes of their own
    table = np.array([[int(q) for q in quantisation(data)]])
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert pixels is not None
    blocks = pixels.reshape(3, 8, 6, 8).transpose(0, 2, 1, 3).reshape(-1, 8, 8)
    levels = np.stack([cv2.dct(block.astype(np.float32) - 128) for block in blocks])
    wanted = np.abs(levels.reshape(-1, 64)[:, ZIGZAG] / table) > 0.5
    # Pixels are rounded: a few coefficients lie on either side of the half.
    assert np.mean(wanted[:, 1:] != nonzero.reshape(-1, 64)[:, 1:]) < 0.05


ZIGZAG = sorted(
    range(64),
    key=lambda k: (k // 8 + k % 8, (k // 8 if (k // 8 + k % 8) % 2 else k % 8)),
)


def quantisation(data: bytes) -> bytes:
    """The 64 divisors of the first table, in zigzag order."""
    place = data.index(b"\xff\xdb")
    return data[place + 5 : place + 69]


def test_bits_that_are_no_code() -> None:
    data = encode(IMAGE)
    (scan,) = scans_of(data)
    with pytest.raises(CodeError):  # ones are the code that no table has
        walk_units(scan, ScanBits([b"\xff" * 64]), 0, range(scan.units), NOTHING)
