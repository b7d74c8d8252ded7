"""Reader of the output of LiteRT's `benchmark_model`.

Lines are recognised by their text, not by their position: the program of TensorFlow Lite
(`tflite/tools/benchmark/benchmark_model.cc`) and that of LiteRT 2
(`litert/tools/benchmark_litert_model.h`) share little but the name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from edgekd.bench.devices.launch import WorkerError
from edgekd.bench.measure.flags import Flag
from edgekd.bench.measure.job import RunStatistics

__all__ = [
    "MEMORY_DEFINITION",
    "BenchmarkModelReport",
    "Delegation",
    "Footprint",
    "read_report",
]

MEMORY_DEFINITION = (
    "growth of benchmark_model's memory from its start to its end, as that program tells it "
    "(the largest resident set plus swap in TensorFlow Lite's; approximate by its own words)"
)

_NUMBER = r"[-+.\de]+"
_MEGABYTE = 1024 * 1024


class _Section(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Delegation(_Section, frozen=True, kw_only=True):
    """Part of the graph that a delegate runs.

    Attributes:
        delegate: Name of the delegate, such as `TfLiteXNNPackDelegate`.
        nodes: Number of nodes that it runs.
        of: Number of nodes of the graph; None where the program does not print it.
        partitions: Number of connected pieces.
    """

    delegate: str
    nodes: int
    of: int | None
    partitions: int


class Footprint(_Section, frozen=True, kw_only=True):
    """Bytes of memory by `MEMORY_DEFINITION`: after loading, and after all runs."""

    load_bytes: int
    overall_bytes: int
    peak_bytes: int | None = None


class BenchmarkModelReport(_Section, frozen=True, kw_only=True):
    """One run of the program.

    Attributes:
        inference: The timed runs.
        warmup: The warm-up runs before; None without any.
        load_ms: Milliseconds from the file to a session.
        first_ms: Milliseconds of the very first run.
        memory: Memory use; None where the phone does not report it.
        delegations: Parts of the graph that delegates run.
        unknown_options: Options that this version ignored.
        flags: Conditions that invalidate the times.
        notes: Conditions under which the times hold.
        command: The command line.
        output: Everything that the program printed.
    """

    inference: RunStatistics
    warmup: RunStatistics | None = None
    load_ms: float | None = None
    first_ms: float | None = None
    memory: Footprint | None = None
    delegations: list[Delegation] = []
    unknown_options: list[str] = []
    flags: list[Flag] = []
    notes: list[Flag] = []
    command: str = ""
    output: str = ""


def read_report(output: str) -> BenchmarkModelReport:
    """Parse the output of any version of the program.

    Args:
        output: Its standard output and errors.

    Raises:
        WorkerError: It contains no timed run.
    """
    series = list(_series(output))
    named = _named_times(output)
    inference = series[-1] if series else _from_names(named, "inference")
    if inference is None or not inference.n:
        raise WorkerError("benchmark_model says nothing of any run in a way that is known")
    warmup = series[0] if len(series) > 1 else _from_names(named, "warmup")
    first = warmup.first_ms if warmup else None
    return BenchmarkModelReport(
        inference=inference,
        warmup=warmup,
        load_ms=named.get("init"),
        first_ms=named.get("first inference", named.get("warmup (first)", first)),
        memory=_memory(output),
        delegations=list(_delegations(output)),
        unknown_options=_unknown_options(output),
        output=output,
    )


def _series(output: str) -> Iterator[RunStatistics]:
    """Every series after its announcement, since lines of a profile look the same."""
    begun = False
    for line in output.splitlines():
        if "Running benchmark for" in line:
            begun = True
        elif begun and (match := re.search(r"count=(\d+)(.*)", line)):
            yield _statistics(int(match[1]), match[2])
            begun = False


def _statistics(n: int, text: str) -> RunStatistics:
    times = {name: float(value) / 1000 for name, value in re.findall(rf"(\w+)=({_NUMBER})", text)}
    if "min" not in times and "curr" in times:
        # All runs took the same time (one run always does): only that time is printed.
        same = times["curr"]
        times = {"first": same, "min": same, "max": same, "avg": same, "std": 0.0, "median": same}
    return RunStatistics(
        n=n,
        first_ms=times.get("first"),
        mean_ms=times.get("avg"),
        std_ms=times.get("std"),
        min_ms=times.get("min"),
        max_ms=times.get("max"),
        p5_ms=times.get("p5"),
        p50_ms=times.get("median"),
        p95_ms=times.get("p95"),
    )


def _named_times(output: str) -> dict[str, float]:
    """Milliseconds by name, in lower case; the counts of runs as `… runs`."""
    times: dict[str, float] = {}
    summary = re.search(r"nference timings in us: (.*)", output)
    if summary is not None:
        pairs = re.findall(rf"([A-Za-z][^:,]*): ({_NUMBER})", summary[1])
        times = {name.lower(): float(value) / 1000 for name, value in pairs}
    words = r"(Model initialization|First inference|(?:Warmup|Inference) \([a-z0-9]+\))"
    for name, value, runs in re.findall(
        rf"{words}:\s+({_NUMBER})(?: ms)?(?: \((\d+) runs\))?", output
    ):
        key = name.lower().replace("model initialization", "init")
        if key not in times:  # the summary in microseconds has more digits
            times[key] = float(value)
        if runs:
            times[f"{key.partition(' ')[0]} runs"] = float(runs)
    return times


def _from_names(named: dict[str, float], kind: str) -> RunStatistics | None:
    """A series whose statistics are printed one by one, by their names."""
    mean = named.get(f"{kind} (avg)", named.get(kind))
    runs = named.get(f"{kind} runs")
    if mean is None or runs is None:
        return None
    return RunStatistics(
        n=int(runs),
        mean_ms=mean,
        std_ms=named.get(f"{kind} (std)"),
        min_ms=named.get(f"{kind} (min)"),
        max_ms=named.get(f"{kind} (max)"),
        p5_ms=named.get(f"{kind} (p5)"),
        p50_ms=named.get(f"{kind} (median)"),
        p95_ms=named.get(f"{kind} (p95)"),
    )


def _memory(output: str) -> Footprint | None:
    both = re.search(rf"Memory footprint delta .*init=({_NUMBER}) overall=({_NUMBER})", output)
    load = both[1] if both else _megabytes(output, "Init footprint")
    overall = both[2] if both else _megabytes(output, "Overall footprint")
    if load is None or overall is None:
        return None
    peak = _megabytes(output, r"Overall peak memory footprint \(MB\) via periodic monitoring")
    peak = peak or _megabytes(output, "Peak memory")
    return Footprint(
        load_bytes=round(float(load) * _MEGABYTE),
        overall_bytes=round(float(overall) * _MEGABYTE),
        peak_bytes=round(float(peak) * _MEGABYTE) if peak else None,
    )


def _megabytes(output: str, words: str) -> str | None:
    match = re.search(rf"{words}:\s+({_NUMBER})", output)
    return match[1] if match else None


def _delegations(output: str) -> Iterator[Delegation]:
    pattern = (
        r"Replacing (\d+)(?: out of (\d+))? node\(s\) with delegate \((.+?)\) node, "
        r"yielding (\d+) partitions"
    )
    for nodes, of, delegate, partitions in re.findall(pattern, output):
        yield Delegation(
            delegate=delegate,
            nodes=int(nodes),
            of=int(of) if of else None,
            partitions=int(partitions),
        )


def _unknown_options(output: str) -> list[str]:
    match = re.search(r"Unconsumed cmdline flags: (.*)", output)
    return match[1].split() if match else []
