from __future__ import annotations

import cv2
import numpy as np
import pytest
from jpegs import encode, make_image

from edgekd.runtime.images.header import Unreadable
from edgekd.runtime.images.jpeg import segments
from edgekd.runtime.images.jpeg_scans import Component, JpegFrame, scans_of

IMAGE = make_image(50, 30)
JPEG = encode(IMAGE)
PROGRESSIVE = encode(IMAGE, ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)


def test_units_of_a_picture_with_halved_chroma() -> None:
    frame = JpegFrame(50, 30, (Component(1, 2, 2), Component(2, 1, 1)), progressive=False)
    # Units of 16 x 16 pixels; blocks of 8 x 8 in each channel, the chroma of half the size.
    assert frame.units() == 4 * 2
    assert [frame.blocks(component) for component in frame.components] == [7 * 4, 4 * 2]


def test_one_scan_holds_a_baseline_picture() -> None:
    (scan,) = scans_of(JPEG)
    assert (scan.alone, scan.restarts) == (True, False)
    assert (scan.first, scan.last, scan.high, scan.low) == (0, 63, 0, 0)
    assert (scan.frame.width, scan.frame.height) == (50, 30)
    assert JPEG[scan.end : scan.end + 2] == b"\xff\xd9"
    assert len(scan.channels) == sum(c.across * c.down for c in scan.members)
    assert None not in (*scan.dc, *scan.ac)


def test_scans_of_a_progressive_picture_cover_all_coefficients() -> None:
    scans = list(scans_of(PROGRESSIVE))
    assert len(scans) > 5
    assert not any(scan.alone for scan in scans)
    covered = {
        (member.number, k)
        for scan in scans
        for member in scan.members
        for k in range(scan.first, scan.last + 1)
        if scan.low == 0
    }
    assert covered == {(number, k) for number in (1, 2, 3) for k in range(64)}


def test_grey_has_single_blocks_whatever_factors_are_written() -> None:
    (scan,) = scans_of(encode(np.asarray(IMAGE[..., 0]), ".jpg"))
    assert scan.members == (Component(1, 1, 1),)
    assert scan.units == 7 * 4
    assert scan.channels == [0]


def test_restart_interval_is_that_of_the_scan() -> None:
    (scan,) = scans_of(encode(IMAGE, ".jpg", cv2.IMWRITE_JPEG_RST_INTERVAL, 3))
    assert (scan.interval, scan.restarts) == (3, True)


@pytest.mark.parametrize(
    ("marker", "offset", "value"),
    [
        (0xC0, 7, 0x00),  # blocks of no size
        (0xC0, 7, 0x51),  # five blocks across
        (0xDA, 0, 0),  # no channel
        (0xDA, 1, 99),  # a channel that is not there
    ],
)
def test_header_that_contradicts_itself(marker: int, offset: int, value: int) -> None:
    data = bytearray(JPEG)
    place = next(each.start for each in segments(JPEG) if each.marker == marker)
    data[place + offset] = value
    with pytest.raises(Unreadable):
        list(scans_of(bytes(data)))
