"""What the cache holds, and which of it goes first."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgekd.data import Sample, dataset_of, decoded_images
from edgekd.data.cleaning import CacheEntry, clean, entries_of_cache
from edgekd.locks import hold_kind

READ = """
import sys
from pathlib import Path
from edgekd.data import Sample, dataset_of, decoded_images
root = Path(sys.argv[1])
samples = [Sample(f"{n}.png", "ab"[n % 2], str(n)) for n in range(4)]
images = decoded_images(dataset_of("mine", root, samples), int(sys.argv[2]))
print("open", flush=True)
sys.stdin.readline()
print(int(images.sum()))
"""


@pytest.fixture
def root(tmp_path: Path, draw: Any) -> Path:
    for number in range(4):
        draw(tmp_path / "set" / f"{number}.png", 10 * number)
    return tmp_path / "set"


def decode(root: Path, size: int) -> None:
    samples = [Sample(f"{n}.png", "ab"[n % 2], str(n)) for n in range(4)]
    decoded_images(dataset_of("mine", root, samples), size)


@pytest.fixture
def three(cache: Path, root: Path) -> dict[str, CacheEntry]:
    """Images at 16, 20 and 24 px, last used 1, 3 and 2 days after the epoch."""
    for size, day in ((16, 1), (20, 3), (24, 2)):
        before = set(cache.glob("decoded/*"))
        decode(root, size)
        (entry,) = set(cache.glob("decoded/*")) - before
        os.utime(entry / ".use", (86_400 * day, 86_400 * day))
    return {entry.description: entry for entry in decoded()}


def decoded() -> list[CacheEntry]:
    return [entry for entry in entries_of_cache() if entry.kind == "decoded"]


def sizes(entries: list[CacheEntry]) -> list[int]:
    return [int(entry.description.split()[4]) for entry in entries]


def test_entries_are_described_in_the_order_of_their_use(three: Any) -> None:
    listed = decoded()
    assert [entry.description for entry in listed] == [
        f"mine: 4 images at {size} pixels" for size in (16, 24, 20)
    ]
    assert [entry.last_use for entry in listed] == [86_400, 2 * 86_400, 3 * 86_400]
    assert not any(entry.in_use for entry in listed)
    for entry, size in zip(listed, (16, 24, 20), strict=True):
        assert 4 * size * size * 3 < entry.size_bytes < 4 * size * size * 3 + 20_000


def test_the_least_recently_used_goes_first(three: Any) -> None:
    listed = decoded()
    removed = clean(listed, max_bytes=sum(entry.size_bytes for entry in listed) - 1)
    assert sizes(removed) == [16]
    assert sizes(decoded()) == [24, 20]


def test_what_was_used_later_stays(three: Any) -> None:
    assert sizes(clean(decoded(), unused_since=2.5 * 86_400)) == [16, 24]
    assert sizes(decoded()) == [20]


def test_a_use_is_noted(three: Any, root: Path) -> None:
    decode(root, 16)
    assert sizes(decoded()) == [24, 20, 16]


def test_what_a_process_reads_stays(three: Any, root: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", READ, str(root), "16"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        assert [entry.in_use for entry in decoded()] == [False, False, True]
        assert sizes(clean(decoded(), max_bytes=0)) == [24, 20]
        out, _ = process.communicate("\n")
    assert int(out) == (0 + 10 + 20 + 30) * 16 * 16 * 3
    assert sizes(clean(decoded(), max_bytes=0)) == [16]
    assert not decoded()


def test_other_kinds_are_entries_too(cache: Path) -> None:
    (cache / "students" / "x.fine-tuned").mkdir(parents=True)
    (cache / "students" / "x.fine-tuned" / "model").write_bytes(b"x" * 100)
    (cache / "students" / "y.npy").write_bytes(b"x" * 50)
    (cache / "unheard-of").mkdir()
    (cache / "unheard-of" / "z").write_bytes(b"z")
    listed = {entry.path.name: entry for entry in entries_of_cache()}
    assert set(listed) == {"x.fine-tuned", "y.npy", "unheard-of"}
    assert listed["y.npy"].size_bytes == 50
    assert clean(list(listed.values()), max_bytes=0) == list(listed.values())
    assert not entries_of_cache()


def test_a_kind_that_a_process_uses_stays(cache: Path) -> None:
    (cache / "students").mkdir(parents=True)
    (cache / "students" / "y.npy").write_bytes(b"x" * 50)
    hold_kind("students")
    (entry,) = entries_of_cache()
    assert entry.in_use
    assert not clean([entry], max_bytes=0)
    assert entry.path.exists()


def test_no_cache_at_all(cache: Path) -> None:
    assert entries_of_cache() == []
