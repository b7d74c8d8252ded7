"""The thread counts of a sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekd.bench.measure.flags import Flag
from edgekd.errors import InputError

__all__ = ["parse_threads", "threads_on", "within_cores"]

_MOST = 4
_EXAMPLE = "write e.g. 1,2,4"


def parse_threads(text: str) -> tuple[int, ...]:
    """The counts of a list with commas, each once, in the order given.

    All series are timed with the first count; the others belong to the sweep.

    Raises:
        InputError: A part is no whole number from 1 on.
    """
    try:
        counts = [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--threads {text} are no whole numbers", _EXAMPLE) from None
    if min(counts) < 1:
        raise InputError(f"--threads {text} are not all positive", _EXAMPLE)
    return tuple(dict.fromkeys(counts))


def threads_on(facts: Mapping[str, Any]) -> int:
    """Default number of threads on a device: its big cores.

    Args:
        facts: Facts of the device: `default_threads`, or else `cores`, of which at most 4 are
            taken; with neither 1.
    """
    known = facts.get("default_threads")
    return int(known) if known else max(1, min(_MOST, int(facts.get("cores") or 1)))


def within_cores(counts: Sequence[int], usable: int | None) -> tuple[tuple[int, ...], list[Flag]]:
    """The counts, capped at the number of usable cores, and a note for each that was capped.

    Threads beyond the number of cores compete for them, and the times then depend on the
    scheduler.

    Args:
        counts: The requested numbers of threads.
        usable: Usable cores of the device (`cores_usable` of its facts); None where not known.
    """
    if usable is None:
        return tuple(counts), []
    kept = tuple(dict.fromkeys(min(count, usable) for count in counts))
    cores = "core" if usable == 1 else "cores"
    notes = [
        Flag("threads", f"{count} were requested, the device has {usable} usable {cores}")
        for count in counts
        if count > usable
    ]
    return kept, notes
