"""`edgekd cache`."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgekd.cli.console import emit_json
from edgekd.cli.options import Json
from edgekd.errors import InputError

if TYPE_CHECKING:
    from edgekd.data.cleaning import CacheEntry

__all__ = ["cache"]

_BYTES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
          "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}  # fmt: skip
_SECONDS = {"h": 3600, "d": 86_400, "w": 7 * 86_400}


def cache(
    max_size: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Remove what was not used for longest until the rest has this size: 20GB.",
        ),
    ] = None,
    older: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="Remove what was not used for so long: 12h, 30d, 8w."),
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Remove everything.")] = False,
    json: Json = False,
) -> None:
    """List the cache of decoded images and other results, or make it smaller.

    What a running process uses stays. All of it can be made again.
    """
    from edgekd.data.cleaning import clean, entries_of_cache

    if clear and (max_size or older):
        message = "--clear removes everything; it takes no --max-size and no --older"
        raise InputError(message, "give one or the other")
    most = 0 if clear else None if max_size is None else _bytes_of(max_size)
    since = None if older is None else time.time() - _seconds_of(older)
    entries = entries_of_cache()
    removed = clean(entries, unused_since=since, max_bytes=most)
    places = {entry.path for entry in removed}
    rest = [entry for entry in entries if entry.path not in places]
    if json:
        emit_json(_result(rest, removed))
    else:
        _print(rest, removed)
    if most is not None and (total := _total(rest)) > most:
        _note_use(total)


def _bytes_of(text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", text.strip())
    if match is None or match[2].upper() not in _BYTES:
        raise InputError(f"{text!r} is not a size", "write e.g. --max-size 20GB")
    return int(float(match[1]) * _BYTES[match[2].upper()])


def _seconds_of(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([hdw])", text.strip())
    if match is None:
        raise InputError(f"{text!r} is not an age", "write e.g. --older 30d")
    return float(match[1]) * _SECONDS[match[2]]


def _total(entries: Sequence[CacheEntry]) -> int:
    return sum(entry.size_bytes for entry in entries)


def _result(rest: Sequence[CacheEntry], removed: Sequence[CacheEntry]) -> dict[str, Any]:
    from edgekd.user_folders import cache_folder

    return {
        "folder": str(cache_folder()),
        "bytes": _total(rest),
        "entries": [_plain(entry) for entry in rest],
        "removed": [_plain(entry) for entry in removed],
    }


def _plain(entry: CacheEntry) -> dict[str, Any]:
    return {
        "path": str(entry.path),
        "kind": entry.kind,
        "description": entry.description,
        "bytes": entry.size_bytes,
        "last_use": entry.used_at,
        "in_use": entry.in_use,
    }


def _print(rest: Sequence[CacheEntry], removed: Sequence[CacheEntry]) -> None:
    from edgekd.streams import printable
    from edgekd.user_folders import cache_folder

    for mark, entries in (("removed", removed), ("", rest)):
        for entry in entries:
            use = "in use" if entry.in_use else f"used {entry.used_at[:10]}"
            line = f"{mark:8}" * bool(removed) + f"{_size(entry.size_bytes):>9}  {use:15}  "
            print(printable(f"{line}{entry.kind}/{entry.path.name}  {entry.description}"))
    gone = f", {_size(_total(removed))} removed" if removed else ""
    number = f"{len(rest)} {'entry' if len(rest) == 1 else 'entries'}"
    print(f"{cache_folder()}: {number}, {_size(_total(rest))}{gone}")


def _note_use(total: int) -> None:
    from edgekd.cli.console import say

    say(f"note: {_size(total)} stay: running processes use them, or they cannot be removed")


def _size(number: int) -> str:
    from edgekd.bench.report.formats import amount

    return amount(number)
