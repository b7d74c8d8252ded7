"""Disturbances of the machine during a measurement.

Counters of the kernel are read before and after; nothing runs in between.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from edgekd.bench.measure.clock import CoreClock, Throttling, core_clock, throttling
from edgekd.bench.measure.load import CpuSeconds, cpu_seconds, other_seconds, other_share
from edgekd.bench.measure.sysfs import field, text

__all__ = ["Counters", "DisturbanceMonitor", "Disturbances", "between", "read_counters"]

_ROOT = Path("/")


class Disturbances(msgspec.Struct, frozen=True, kw_only=True):
    """Disturbances during a measurement; null where the system does not report them.

    Attributes:
        seconds: Duration of the measurement.
        other_load: Share of the machine's CPU time used by other processes, 0…1.
        other_cores: The same as a number of cores.
        stolen: Share of the CPU time that a hypervisor gave to others, 0…1.
        swapped_pages: Pages that the system moved between memory and swap.
        own_swap_bytes: Memory of this process in swap at the end.
        page_reads: Page faults of this process that had to wait for a disk.
        switches_per_second: Involuntary context switches of this process.
        clock_jump_s: Seconds by which the wall clock was set, or for which the machine slept.
        throttled: Signs that the processor was throttled.
        clock_before: The processor's clock at the beginning.
        clock_after: The processor's clock at the end.
        virtual: Whether this is a virtual machine, whose clock is that of its host.
    """

    seconds: float
    other_load: float | None = None
    other_cores: float | None = None
    stolen: float | None = None
    swapped_pages: int | None = None
    own_swap_bytes: int | None = None
    page_reads: int | None = None
    switches_per_second: float | None = None
    clock_jump_s: float = 0.0
    throttled: list[str] = []
    clock_before: CoreClock = CoreClock()
    clock_after: CoreClock = CoreClock()
    virtual: bool = False


class _Usage(NamedTuple):
    page_reads: int
    switches: int


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """Counters of the kernel at one moment."""

    monotonic: float
    wall: float
    cpu: CpuSeconds | None = None
    swapped_pages: int | None = None
    own_swap_bytes: int | None = None
    usage: _Usage | None = None
    clock: CoreClock = CoreClock()
    throttling: Throttling = Throttling()
    virtual: bool = False


def read_counters(
    root: Path = _ROOT, *, throttled: Throttling | None = None, helpers_seconds: float = 0.0
) -> Counters:
    """Read all counters.

    Args:
        root: Where `proc` and `sys` are.
        throttled: Throttling that was read before; None reads it here.
        helpers_seconds: CPU seconds of processes that work for this one.
    """
    # Read first, since the frequency falls as soon as the work stops.
    clock = core_clock(root)
    cpu = cpu_seconds(root)
    return Counters(
        monotonic=time.monotonic(),
        wall=time.time(),
        cpu=cpu and cpu._replace(process=cpu.process + helpers_seconds),
        swapped_pages=_swapped_pages(root),
        own_swap_bytes=_own_swap(root),
        usage=_usage(),
        clock=clock,
        throttling=throttling(root) if throttled is None else throttled,
        virtual="hypervisor" in field(root / "proc/cpuinfo", "flags").split(),
    )


class DisturbanceMonitor:
    """Records the disturbances during a `with` block.

    Args:
        root: Where `proc` and `sys` are.
        helpers: CPU seconds of processes that work for this one, whose load is no disturbance.

    Attributes:
        disturbances: Disturbances during the block; None until it has ended.
    """

    def __init__(self, root: Path = _ROOT, helpers: Callable[[], float] = lambda: 0.0) -> None:
        self.disturbances: Disturbances | None = None
        self._root = root
        self._helpers = helpers
        self._begin: Counters | None = None

    def __enter__(self) -> DisturbanceMonitor:
        """Read the throttling first, which may start a program, and then the counters."""
        throttled = throttling(self._root)
        self._begin = self._read(throttled)
        return self

    def __exit__(self, *_: object) -> None:
        """Read the counters again."""
        if self._begin is not None:
            self.disturbances = between(self._begin, self._read(None))

    def _read(self, throttled: Throttling | None) -> Counters:
        return read_counters(self._root, throttled=throttled, helpers_seconds=self._helpers())


def between(begin: Counters, end: Counters) -> Disturbances:
    """The disturbances between two readings of the counters."""
    seconds = max(1e-9, end.monotonic - begin.monotonic)
    load = cores = stolen = None
    if begin.cpu is not None and end.cpu is not None:
        load, others = other_share(begin.cpu, end.cpu), other_seconds(begin.cpu, end.cpu)
        cores = None if others is None else others / seconds
        stolen = _stolen(begin.cpu, end.cpu)
    usage = _used(begin.usage, end.usage)
    return Disturbances(
        seconds=seconds,
        other_load=load,
        other_cores=cores,
        stolen=stolen,
        swapped_pages=_rise(begin.swapped_pages, end.swapped_pages),
        own_swap_bytes=end.own_swap_bytes,
        page_reads=usage.page_reads if usage else None,
        switches_per_second=usage.switches / seconds if usage else None,
        clock_jump_s=(end.wall - begin.wall) - (end.monotonic - begin.monotonic),
        throttled=_held_back(begin.throttling, end.throttling),
        clock_before=begin.clock,
        clock_after=end.clock,
        virtual=end.virtual,
    )


def _held_back(begin: Throttling, end: Throttling) -> list[str]:
    """Signs of throttling at either end, or counted in between."""
    signs = [*begin.signs, *end.signs]
    signs += [what for what, n in end.counts.items() if n > begin.counts.get(what, n)]
    return list(dict.fromkeys(signs))


def _stolen(begin: CpuSeconds, end: CpuSeconds) -> float | None:
    total = end.total - begin.total
    return (end.stolen - begin.stolen) / total if total >= 1.0 else None


def _used(begin: _Usage | None, end: _Usage | None) -> _Usage | None:
    if begin is None or end is None:
        return None
    return _Usage(end.page_reads - begin.page_reads, end.switches - begin.switches)


def _rise(begin: int | None, end: int | None) -> int | None:
    return None if begin is None or end is None else end - begin


def _swapped_pages(root: Path) -> int | None:
    words = (text(root / "proc/vmstat") or "").split()
    counts = dict(zip(words[::2], words[1::2], strict=False))
    if "pswpin" not in counts or "pswpout" not in counts:
        return None
    return int(counts["pswpin"]) + int(counts["pswpout"])


def _own_swap(root: Path) -> int | None:
    words = field(root / "proc/self/status", "VmSwap").split()
    return int(words[0]) * 1024 if words and words[0].isdecimal() else None


def _usage() -> _Usage | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    used = resource.getrusage(resource.RUSAGE_SELF)
    return _Usage(used.ru_majflt, used.ru_nivcsw)
