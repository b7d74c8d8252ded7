"""What the user's cache holds, and how it is kept small: the least recently used goes first.

The cache has a folder for each kind of content, and in it an entry (a file or a folder) for each
data set, student, …. A process locks what it uses: an entry by the file `.use` in it, or all of a
kind by `.KIND.use` beside the kind's folder.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import msgspec

from edgekd.data.decoded.entry import ABOUT, IMAGES, USE, About
from edgekd.locks import kind_lock, unless_held
from edgekd.user_folders import cache_folder

__all__ = ["CacheEntry", "clean", "entries_of_cache"]

_OWN_LOCK = ("decoded",)
"""Kinds whose entries have a lock each; the others have one for the kind."""

_KINDS = {
    "decoded": "decoded images",
    "fetched": "images fetched from an archive or another machine",
    "synthetic": "painted images",
    "contents": "hash of a data set's files",
    "students": "outputs of a network, or its fine-tuned weights",
    "teachers": "a teacher's outputs for fixed views of images",
    "lowered": "lowered files",
}
"""What the entries of each kind are; any other folder is one entry by itself."""


@dataclass(frozen=True)
class CacheEntry:
    """One entry of the cache.

    Attributes:
        path: Its file or folder.
        kind: `decoded`, …; the name of its folder where edgekd knows no such kind.
        description: What it is, for people.
        size_bytes: Size on disk.
        last_use: When it was last used, in seconds since the epoch.
        in_use: Whether a running process uses it.
    """

    path: Path
    kind: str
    description: str
    size_bytes: int
    last_use: float
    in_use: bool

    @property
    def used_at(self) -> str:
        """The time of the last use in UTC, as ISO 8601."""
        at = datetime.fromtimestamp(self.last_use, timezone.utc)
        return at.isoformat(timespec="seconds")


def entries_of_cache() -> list[CacheEntry]:
    """Every entry of the cache, the least recently used first."""
    entries = [_entry(kind, path) for kind, path in _places(cache_folder())]
    return sorted(entries, key=lambda entry: entry.last_use)


def clean(
    entries: Sequence[CacheEntry],
    *,
    unused_since: float | None = None,
    max_bytes: int | None = None,
) -> list[CacheEntry]:
    """Remove entries, the least recently used first; never one that a running process uses.

    Args:
        entries: The entries of the cache, the least recently used first.
        unused_since: Remove those that were last used before this time (seconds since the epoch).
        max_bytes: Remove as many more as it takes for the rest to have at most this size.

    Returns:
        Those that were removed.
    """
    total = sum(entry.size_bytes for entry in entries)
    removed: list[CacheEntry] = []
    for entry in entries:
        old = unused_since is not None and entry.last_use < unused_since
        surplus = max_bytes is not None and total > max_bytes
        if (old or surplus) and _remove(entry):
            removed.append(entry)
            total -= entry.size_bytes
    return removed


def _places(cache: Path) -> Iterator[tuple[str, Path]]:
    """Kind and place of each entry; hidden files are locks, and what is being written."""
    for folder in _visible(cache):
        if folder.name in _KINDS and folder.is_dir():
            yield from ((folder.name, path) for path in _visible(folder))
        else:
            yield folder.name, folder


def _visible(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _entry(kind: str, path: Path) -> CacheEntry:
    lock = _lock(kind, path)
    files = [path, *path.rglob("*")] if path.is_dir() else [path]
    facts = [fact for fact in map(_status, files) if fact is not None]
    last_use = _status(path / USE) if kind in _OWN_LOCK else None
    contents = [fact for fact in facts if stat.S_ISREG(fact.st_mode)]
    newest = max((max(fact.st_mtime, fact.st_atime) for fact in contents), default=0.0)
    return CacheEntry(
        path,
        kind,
        _description(kind, path),
        sum(_on_disk(fact) for fact in facts),
        newest if last_use is None else last_use.st_mtime,
        lock.exists() and not _is_free(lock),
    )


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except OSError:  # removed in this moment
        return None


def _on_disk(fact: os.stat_result) -> int:
    """Bytes on disk: a file that is still being written has holes."""
    return min(fact.st_size, getattr(fact, "st_blocks", fact.st_size) * 512)


def _description(kind: str, path: Path) -> str:
    if kind != "decoded":
        return _KINDS.get(kind, "")
    try:
        about = msgspec.json.decode((path / ABOUT).read_bytes(), type=About)
    except (OSError, msgspec.DecodeError):
        return _KINDS[kind]
    unfinished = "" if (path / IMAGES).exists() else ", unfinished"
    return f"{about.name}: {about.images} images at {about.size} pixels{unfinished}"


def _lock(kind: str, path: Path) -> Path:
    return path / USE if kind in _OWN_LOCK else kind_lock(kind)


def _is_free(lock: Path) -> bool:
    with unless_held(lock) as free:
        return free


def _remove(entry: CacheEntry) -> bool:
    with _alone(_lock(entry.kind, entry.path)) as free:
        if not free:
            return False
        if entry.path.is_dir() and not entry.path.is_symlink():
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            entry.path.unlink(missing_ok=True)
    return not entry.path.exists()


@contextmanager
def _alone(lock: Path) -> Iterator[bool]:
    """Whether no process uses what the lock stands for; a lock in an entry is made for that."""
    if not lock.parent.is_dir():  # the entry is a file, or was removed
        yield True
        return
    with unless_held(lock) as free:
        yield free
