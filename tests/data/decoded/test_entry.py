"""An entry on disk: which blocks are whole, and who uses it."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest

from edgekd.data.decoded.entry import BLOCK, About, Entry, remove
from edgekd.data.decoded.unfinished import begin
from edgekd.seals import MISSING

COUNT, SIZE = BLOCK + 3, 4
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, SIZE, SIZE, 3), dtype=np.uint8)
ABOUT = About(name="x", root="/x", images=COUNT, size=SIZE)


@pytest.fixture
def entry(cache: Path) -> Entry:
    """An entry that is whole."""
    made = Entry.of("content", COUNT, SIZE)
    made.hold()()
    unfinished = begin(made, ABOUT)
    for block in range(made.blocks):
        unfinished.write(block, IMAGES[made.rows(block).start : made.rows(block).stop])
    unfinished.finish()
    return made


def test_what_was_written_is_read(entry: Entry) -> None:
    assert entry.flaw() is None
    np.testing.assert_array_equal(entry.open(lambda: None), IMAGES)
    np.testing.assert_array_equal(np.load(entry.folder / "images.npy"), IMAGES)


def test_what_is_not_there_is_missing(cache: Path) -> None:
    assert Entry.of("content", COUNT, SIZE).flaw() == MISSING


@pytest.mark.parametrize("byte", [-1, -4 * SIZE * SIZE * 3])
def test_one_wrong_bit_is_noticed(entry: Entry, byte: int) -> None:
    file = entry.folder / "images.npy"
    raw = bytearray(file.read_bytes())
    raw[byte] ^= 1
    file.write_bytes(raw)
    assert entry.flaw() == "is damaged in 1 of 2 blocks"


def test_contents_and_sizes_have_entries_of_their_own() -> None:
    entries = {Entry.of(content, COUNT, size).folder for content in "ab" for size in (4, 5)}
    assert len(entries) == 4


def test_an_entry_is_held_as_long_as_an_array_of_it_lives(entry: Entry) -> None:
    images = entry.open(entry.hold())
    part = np.asarray(images)[3:5]
    del images
    gc.collect()
    assert not remove(entry.folder)
    np.testing.assert_array_equal(part, IMAGES[3:5])
    del part
    gc.collect()
    assert remove(entry.folder)
    assert not entry.folder.exists()
