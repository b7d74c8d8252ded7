"""Whether a series of times can be relied on, and under which conditions it was taken.

A flag invalidates the times of its row. A note does not: it states a condition under which the
times hold. Both are `edgekd.bench.measure.flags.Flag`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekd.bench.measure.disturbances import Disturbances
from edgekd.bench.measure.flags import Flag
from edgekd.bench.measure.timing import Preset
from edgekd.bench.result.statistics import block_medians, steadied, variation

__all__ = ["session_flags", "validity_flags", "validity_notes"]

MAX_VARIATION = 0.10
_TRIMMED = 0.01
"""Share of the slowest samples that the variation leaves out. They change neither p50 nor p90, but
a few pauses of 4 ms in six seconds give a short model a standard deviation of 10 % and more. The
statistics include every sample."""
MAX_DRIFT = 0.05
MAX_VIRTUAL_DRIFT = 0.10
"""Drift that is allowed on a virtual machine, whose host changes the clock as other guests come and
go: by 6 to 7 % within six seconds while no counter of the guest showed anything."""
MAX_BLOCK_SPREAD = 0.10
MAX_OTHER_LOAD = 0.10
MAX_OTHER_CORES = 0.5
"""Number of cores that other processes may use. On a machine with many cores a tenth is several,
but half a core in constant use is a foreign process, and all cores share the memory's bandwidth."""
MAX_STOLEN = 0.02
MAX_SWAPPED_PAGES = 256
"""1 MiB, since a small board swaps sleeping services back in now and then."""
MAX_PAGE_READS = 10
MAX_CLOCK_JUMP_S = 0.5
MAX_CLOCK_SLEW = 1e-3
"""Time services may slew a clock by 0.5 ms a second; that is no jump, however long the run."""
MAX_CLOCK_FALL = 0.10
_SLOW_CLOCK = 0.8
_PERFORMANCE = "performance"
_NO_ACCELERATOR = ("cpu", "xnnpack", "cpuexecutionprovider")


def validity_flags(
    samples_ms: Sequence[float],
    preset: Preset,
    *,
    series: str,
    images: int = 1,
    disturbances: Disturbances | None = None,
) -> list[Flag]:
    """Flags that invalidate a series; empty for a valid series.

    Args:
        samples_ms: The samples in the order in which they were taken.
        preset: How long to measure, and how many runs at least.
        series: Its name, for the details (`model`, `end-to-end`).
        images: Number of images cycled through; differences between them are no variation.
        disturbances: Disturbances during the series.
    """
    values = np.asarray(samples_ms, dtype=np.float64)
    disturbances = disturbances or Disturbances(seconds=0.0)
    max_drift = MAX_VIRTUAL_DRIFT if disturbances.virtual else MAX_DRIFT
    flags = [*_of_samples(values, preset, images, max_drift), *_of_machine(disturbances)]
    return [Flag(flag.code, f"{series}, {flag.detail}") for flag in flags]


def session_flags(facts: Mapping[str, Any]) -> list[Flag]:
    """Flags of an accelerator that was requested and did not run the model.

    Args:
        facts: Facts of the session: `accelerator_asked`, `accelerator` and, where they were added,
            its `warnings`.
    """
    requested, obtained = facts.get("accelerator_asked"), str(facts.get("accelerator") or "CPU")
    if not requested or str(requested).casefold() in _NO_ACCELERATOR:
        return []
    if obtained.casefold() in _NO_ACCELERATOR:
        return [Flag("accelerator", f"{requested} was requested, and {obtained} computes")]
    return [Flag("accelerator", str(warning)) for warning in facts.get("warnings") or ()]


def validity_notes(
    disturbances: Iterable[Disturbances | None], facts: Mapping[str, Any] | None = None
) -> list[Flag]:
    """Conditions under which times hold: the clock's governor and limits, a partitioned graph.

    A graph that XNNPACK partitions runs slower than it could. That is a note and no flag, since
    the times are those of this graph.

    Args:
        disturbances: Disturbances during each of the row's series.
        facts: Facts of the session.
    """
    notes = [note for each in disturbances if each is not None for note in _of_clock(each)]
    pieces = (facts or {}).get("xnnpack_partitions")
    if isinstance(pieces, int) and pieces > 1:
        notes.append(Flag("partitions", f"XNNPACK took the graph in {pieces} pieces"))
    return list(dict.fromkeys(notes))


def _of_samples(
    values: NDArray[np.float64], preset: Preset, images: int, max_drift: float
) -> Iterator[Flag]:
    if values.size < preset.runs:
        yield Flag("too-few-samples", f"{values.size} of {preset.runs} runs")
    spread = variation(values, images, _TRIMMED)
    if spread > MAX_VARIATION:
        without = " without the slowest hundredth" if values.size * _TRIMMED >= 1 else ""
        yield Flag("high-variation", f"standard deviation {spread:.0%} of the mean{without}")
    blocks = block_medians(steadied(values, images))
    drift = blocks[-1] / blocks[0] - 1 if blocks and blocks[0] > 0 else 0.0
    if abs(drift) > max_drift:
        word = "slower" if drift > 0 else "faster"
        yield Flag("drift", f"last fifth {abs(drift):.0%} {word} than the first")
    elif blocks and max(blocks) > (1 + MAX_BLOCK_SPREAD) * min(blocks):
        apart = max(blocks) / min(blocks) - 1 if min(blocks) > 0 else 0.0
        yield Flag("unsteady", f"its slowest fifth {apart:.0%} slower than its fastest")


def _of_machine(disturbances: Disturbances) -> Iterator[Flag]:
    load, cores = disturbances.other_load, disturbances.other_cores
    if load is not None and load > MAX_OTHER_LOAD:
        yield Flag("other-load", f"other processes took {load:.0%} of the CPU")
    elif cores is not None and cores > MAX_OTHER_CORES:
        yield Flag("other-load", f"other processes took {cores:.1f} cores")
    if disturbances.stolen is not None and disturbances.stolen > MAX_STOLEN:
        yield Flag(
            "stolen-time", f"the hypervisor gave {disturbances.stolen:.0%} of the CPU to others"
        )
    if swapping := _swapping(disturbances):
        yield Flag("swap", swapping)
    if abs(disturbances.clock_jump_s) > max(
        MAX_CLOCK_JUMP_S, MAX_CLOCK_SLEW * disturbances.seconds
    ):
        yield Flag("clock-jump", f"the wall clock jumped by {disturbances.clock_jump_s:+.1f} s")
    held = [*disturbances.throttled, *_fallen(disturbances)]
    if held:
        yield Flag("throttled", f"the processor was held back: {', '.join(held)}")


def _swapping(disturbances: Disturbances) -> str:
    if disturbances.own_swap_bytes:
        return f"{disturbances.own_swap_bytes / 1e6:.1f} MB of the measuring process were in swap"
    if (disturbances.swapped_pages or 0) > MAX_SWAPPED_PAGES:
        return f"the system moved {disturbances.swapped_pages} pages between memory and swap"
    if (disturbances.page_reads or 0) > MAX_PAGE_READS:
        return f"{disturbances.page_reads} pages were read from disk again"
    return ""


def _fallen(disturbances: Disturbances) -> Iterator[str]:
    before, after = disturbances.clock_before.now, disturbances.clock_after.now
    if before and after and after < (1 - MAX_CLOCK_FALL) * before:
        yield f"its clock fell from {before:.0f} to {after:.0f} MHz"


def _of_clock(disturbances: Disturbances) -> Iterator[Flag]:
    clock = disturbances.clock_after
    if disturbances.virtual:
        passed = f"drifts up to {MAX_VIRTUAL_DRIFT:.0%} pass"
        yield Flag("virtual-machine", f"its host moves the clock; {passed}")
    if clock.governor is not None and clock.governor != _PERFORMANCE:
        yield Flag("governor", f"the clock is set by {clock.governor}, not by {_PERFORMANCE}")
    if clock.limit and clock.rated and clock.limit < clock.rated:
        yield Flag("clock-limit", f"{clock.limit:.0f} MHz are allowed of {clock.rated:.0f}")
    elif clock.now and clock.rated and clock.now < _SLOW_CLOCK * clock.rated:
        share = clock.now / clock.rated
        detail = f"the clock ran at {round(share, 1):.0%} of its {clock.rated:.0f} MHz"
        yield Flag("slow-clock", detail)
