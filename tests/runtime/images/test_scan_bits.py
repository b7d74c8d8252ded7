from __future__ import annotations

import dataclasses

import cv2
import pytest
from jpegs import encode, make_image

from edgekd.runtime.images.header import Unreadable
from edgekd.runtime.images.huffman import CodeError, numbers_by_bits
from edgekd.runtime.images.jpeg_scans import Scan, scans_of
from edgekd.runtime.images.scan_bits import ScanBits, lookup_groups, restart_intervals

DATA = encode(make_image(50, 30), ".jpg", cv2.IMWRITE_JPEG_RST_INTERVAL, 2)
(SCAN,) = scans_of(DATA)


def scan_of(data: bytes) -> Scan:
    return dataclasses.replace(SCAN, start=0, end=len(data))


def test_each_bit_sees_the_sixteen_from_it_on() -> None:
    bits = ScanBits([b"\xa5\x0f", b"\x81"])
    assert bits.spans == [(0, 16), (16, 24)]
    stream = f"{0xA50F81:024b}" + "0" * 32
    for place in range(24):
        assert bits.ahead[place] == int(stream[place : place + 16], 2)


def test_lookup_is_by_the_bits_ahead() -> None:
    bits = ScanBits([b"\xa5\x0f"])
    table = SCAN.ac[0]
    assert table is not None
    numbers = numbers_by_bits(table, "step")[bits.ahead].tobytes()
    assert bits.looked_up(table, "step") == numbers
    with pytest.raises(Unreadable, match="without its code tables"):
        bits.looked_up(None, "step")


def test_further_empty_blocks_have_their_own_bits() -> None:
    bits = ScanBits([b"\xb0"])  # 1011 0000
    assert [bits.further_blocks(0, run) for run in (0, 1, 2, 3)] == [0, 1 + 1, 3 + 2, 7 + 5]


def test_stuffed_zeros_and_filling_are_no_data() -> None:
    whole = b"\x12\xff\x00\x34\xff\xd0\x56\xff\xff"
    scan = dataclasses.replace(scan_of(whole), interval=SCAN.units - 1)
    assert restart_intervals(whole, scan) == [b"\x12\xff\x34", b"\x56"]


def test_restart_markers_have_to_be_complete_and_in_order() -> None:
    count = -(-SCAN.units // SCAN.interval)
    assert len(restart_intervals(DATA, SCAN)) == count
    place = DATA.index(b"\xff\xd1", SCAN.start)
    for damaged in (
        DATA[:place] + DATA[place + 2 :],
        DATA[:place] + b"\xff\xd2" + DATA[place + 2 :],
    ):
        (scan,) = scans_of(damaged)
        with pytest.raises(CodeError):
            restart_intervals(damaged, scan)


def test_groups_hold_every_interval_once() -> None:
    intervals = [bytes(150_000), bytes(100_000), bytes(20_000), bytes(400_000), b"x"]
    groups = list(lookup_groups(intervals))
    assert [each for group in groups for each in group] == intervals
    assert [len(group) for group in groups] == [2, 1, 1, 1]
    assert list(lookup_groups([])) == [[]]
