"""How a good example, or a place to write to, can be spoilt."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from edgekd.cli.places import Reads, Writes
from mistakes.examples import PARTS


def _spoil_content(spoil: str, content: bytes) -> bytes:
    return {
        "empty": b"",
        "cut": content[: len(content) // 2],
        "junk": bytes(range(256)) * 4,
        "other": b"\x89PNG\r\n\x1a\n" if content[:1] in b"{i-tn" else b"some text, no more\n",
    }[spoil]


def spoilt(spoil: str, kind: Reads, good: Path, work: Path) -> Iterator[Path]:
    """Bad twins of a good example."""
    bad = work / good.name
    if spoil == "missing":
        yield bad
    elif spoil == "turned":  # a folder for a file, a file for a folder
        if good.is_dir():
            bad.write_bytes(b"x")
        else:
            bad.mkdir()
        yield bad
    elif spoil == "unreadable":
        if good.is_dir():
            shutil.copytree(good, bad)
            for locked in (bad, *(bad / part for part in PARTS.get(kind, ()))):
                mode = locked.stat().st_mode
                locked.chmod(0)
                yield bad
                locked.chmod(mode)
        else:
            shutil.copy(good, bad)
            bad.chmod(0)
            yield bad
    elif good.is_dir():
        if spoil == "empty":
            bad.mkdir()
            yield bad
            bad.rmdir()
        for part in PARTS[kind]:
            shutil.copytree(good, bad)
            (bad / part).write_bytes(_spoil_content(spoil, (bad / part).read_bytes()))
            yield bad
            shutil.rmtree(bad)
    else:
        bad.write_bytes(_spoil_content(spoil, good.read_bytes()))
        yield bad


INPUT_SPOILS = ("missing", "turned", "empty", "cut", "junk", "other")
OUTPUT_SPOILS = ("turned", "below a file", "circle")
LOCKED_SPOILS = ("unreadable", "unwritable", "protected", "full")
"""Of a process without the superuser's rights, `full` with a limit on the size of files."""

HARMLESS = {
    # What a cut of these leaves is whole in itself.
    (Reads.TABLE, "cut"), (Reads.DATA, "cut"), (Reads.METER, "cut"), (Reads.RECIPE, "cut"),
    (Reads.VIDEO, "cut"), (Reads.OWN_IMAGES, "cut"),
    (Reads.VIDEO, "cut"), (Reads.ANSWERS, "cut"), (Reads.ANSWERS, "empty"),
}  # fmt: skip
FOLDERS_OF_ANYTHING = (Reads.IMAGES, Reads.WHEELHOUSE)
"""What is in them is known to their verbs alone."""


def spoil_place(spoil: str, place: Writes, work: Path) -> Path:
    """An output that cannot be written to."""
    path = work / "place.svg"
    if spoil == "turned" and place is Writes.FILE:
        path.mkdir()
    elif spoil == "turned":
        path.write_bytes(b"mine")
    elif spoil == "below a file":
        path.write_bytes(b"mine")
        path = path / "below.svg"
    elif spoil == "circle":
        path.symlink_to(work / "back")
        (work / "back").symlink_to(path)
    elif spoil == "unwritable":
        closed = work / "closed"
        closed.mkdir()
        closed.chmod(0o500)
        path = closed / "place.svg"
    elif spoil == "protected":
        if place is Writes.FOLDER:
            path.mkdir()
            path.chmod(0o500)
        else:
            path.write_bytes(b"mine")
            path.chmod(0o400)
    return path


def spoils_of(place: Reads | Writes) -> tuple[str, ...]:
    if isinstance(place, Writes):
        return (*OUTPUT_SPOILS, "unwritable", "protected", "full")
    if place in FOLDERS_OF_ANYTHING:
        return ("missing", "turned", "unreadable")
    spoils = [spoil for spoil in INPUT_SPOILS if (place, spoil) not in HARMLESS]
    if place in (Reads.MODEL, Reads.BUNDLE, Reads.FOREIGN):
        spoils.remove("turned")  # either is right; a file that is neither is told as damaged
    return (*spoils, "unreadable")
