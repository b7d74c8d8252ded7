"""The thread counts of a sweep."""

from __future__ import annotations

from collections.abc import Sequence

from edgekd.errors import InputError

__all__ = ["parse_threads", "within_cores"]

_EXAMPLE = "write e.g. 1,2,4"


def parse_threads(text: str) -> tuple[int, ...]:
    """The counts of a list with commas, each once, in the order given.

    The first is what all series are taken with; the others belong to the sweep.

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


def within_cores(counts: Sequence[int], usable: int | None) -> tuple[tuple[int, ...], list[str]]:
    """The counts, none above the number of usable cores, and a note for each that was.

    More threads than cores only wait for one another: the engine's time then says more of the
    scheduler than of the device.

    Args:
        counts: As asked for.
        usable: Usable cores of the device (`cores_usable` of its facts); None where not known.
    """
    if usable is None:
        return tuple(counts), []
    kept = tuple(dict.fromkeys(min(count, usable) for count in counts))
    cores = "core" if usable == 1 else "cores"
    notes = [
        f"threads: {count} were asked for, the device has {usable} usable {cores}"
        for count in counts
        if count > usable
    ]
    return kept, notes
