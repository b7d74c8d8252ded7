"""An entry while it is built: what a build that was killed has left, and what of it is used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekd.data.decoded.entry import BLOCK, About, Entry
from edgekd.data.decoded.unfinished import begin
from edgekd.seals import MISSING

COUNT, SIZE = 2 * BLOCK + 1, 4
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, SIZE, SIZE, 3), dtype=np.uint8)
ABOUT = About(name="x", root="/x", images=COUNT, size=SIZE)


@pytest.fixture
def entry(cache: Path) -> Entry:
    """An entry of which blocks 0 and 2 are written."""
    made = Entry.of("content", COUNT, SIZE)
    made.folder.mkdir(parents=True)
    unfinished = begin(made, ABOUT)
    assert unfinished.whole == frozenset()
    unfinished.write(0, IMAGES[:BLOCK])
    unfinished.write(2, IMAGES[2 * BLOCK :])
    return made


def test_whole_blocks_stay(entry: Entry) -> None:
    assert entry.flaw() == MISSING
    assert entry.done() == 2
    unfinished = begin(entry, ABOUT)
    assert unfinished.whole == {0, 2}
    unfinished.write(1, IMAGES[BLOCK : 2 * BLOCK])
    unfinished.finish()
    assert entry.flaw() is None
    np.testing.assert_array_equal(entry.open(lambda: None), IMAGES)


def test_a_block_whose_hash_was_written_without_all_of_it_is_written_again(entry: Entry) -> None:
    file = entry.folder / "images.part"
    raw = bytearray(file.read_bytes())
    raw[-SIZE * SIZE * 3 :] = bytes(SIZE * SIZE * 3)  # the disk lost it
    file.write_bytes(raw)
    assert begin(entry, ABOUT).whole == {0}


@pytest.mark.parametrize("name", ["images.part", "blocks.part"])
@pytest.mark.parametrize("content", [None, b"", b"x" * 1000])
def test_what_is_not_a_part_is_begun_again(entry: Entry, name: str, content: bytes | None) -> None:
    if content is None:
        (entry.folder / name).unlink()
    else:
        (entry.folder / name).write_bytes(content)
    assert begin(entry, ABOUT).whole == frozenset()
