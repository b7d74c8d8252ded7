"""The table of `engines.py`, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edgekd.bench.result.validity import MAX_OTHER_LOAD

__all__ = ["markdown"]

_SETTINGS = {
    "PERFORMANCE_HINT": "performance_hint",
    "NUM_STREAMS": "streams",
    "INFERENCE_NUM_THREADS": "threads",
    "INFERENCE_PRECISION_HINT": "precision_hint",
    "threads": "threads",
    "providers": "providers",
}
"""Names of settings by a tool, and the names of the same settings in our facts."""


def markdown(result: Mapping[str, Any]) -> str:
    """The result as a table, with the remarks that it needs."""
    head = "| file | timed by | ms | edgekd, ms | edgekd ÷ it | longer by, ms | within 5 % |"
    rows = [row for subject in result["subjects"] for row in _rows(subject)]
    table = "\n".join([head, "|---|---|---:|---:|---:|---:|---|", *rows])
    return "\n\n".join([_head(result), table, "\n".join(_remarks(result))]) + "\n"


def _head(result: Mapping[str, Any]) -> str:
    machine, effort = result["machine"], result["effort"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    loads = [
        one.other_load
        for subject in result["subjects"]
        for one in subject["ours"]["rounds"]
        if one.other_load is not None
    ]
    load = f"at most {max(loads):.0%}" if loads else "an unknown share"
    return (
        f"{machine.get('cpu')}, {machine.get('cores_usable')} cores, Python {machine['python']}; "
        f"edgekd {machine['edgekd']}, revision {result['revision']}; {packages}. "
        f"{result['threads']} thread(s), {effort.rounds} rounds, preset `{effort.preset}`; other "
        f"processes took {load} of the processors while ours ran. `{result['command']}`"
    )


def _rows(subject: Mapping[str, Any]) -> Iterator[str]:
    for tool in subject["tools"]:
        name = f"{tool['name']}, {tool['statistic']}"
        verdict = "yes" if tool["within"] else "**no**"
        yield (
            f"| {subject['name']} | {name} | {_ms(tool['ms'])} | {_ms(tool['ours_ms'])} | "
            f"{_ratio(tool['ours_over_its'])} | {_ms(tool['ours_longer_ms'])} | {verdict} |"
        )


def _ms(spread: Any) -> str:
    return f"{spread.median:.3f}"


def _ratio(spread: Any) -> str:
    return f"{spread.median:.3f} ({spread.low:.3f}–{spread.high:.3f})"


def _remarks(result: Mapping[str, Any]) -> Iterator[str]:
    yield (
        "Medians over rounds; ratios are taken within a round, then their median with the smallest "
        "and the largest. What the clocks cover:"
    )
    yield ""
    yield (
        "- edgekd: from uint8 pixels to float32 logits, with the check of the image, the engine's "
        "Python call and the copy of the result; the bundle's self-test images, cycled through."
    )
    clocks = {
        f"{tool['name']} ({subject['backend']})": tool["clock"]
        for subject in result["subjects"]
        for tool in subject["tools"]
    }
    yield from (f"- {name}: {clock}." for name, clock in clocks.items())
    for subject in result["subjects"]:
        yield from _particulars(subject)


def _particulars(subject: Mapping[str, Any]) -> Iterator[str]:
    """Remarks on one subject: disturbances, parts of the time, tools, settings."""
    disturbed = [
        number
        for number, one in enumerate(subject["ours"]["rounds"], 1)
        if (one.other_load or 0) > MAX_OTHER_LOAD
    ]
    if disturbed:
        rounds = ", ".join(map(str, disturbed))
        yield (
            f"- **{subject['name']}: other processes took more than {MAX_OTHER_LOAD:.0%} of the "
            f"processors in the rounds {rounds}**: its ratios say little."
        )
    for tool in subject["tools"]:
        if tool["inner_ms"] is not None:
            outside = tool["ms"].median - tool["inner_ms"].median
            yield (
                f"- {subject['name']}, {tool['name']}: the engine's own part is "
                f"{_ms(tool['inner_ms'])} ms; copies and Python around it take {outside:.3f} ms, "
                "which the clock of the engine's tool leaves out."
            )
        other = differing(tool["obtained"], subject["ours"]["rounds"][-1].facts)
        if other:
            yield f"- **{subject['name']}, {tool['name']}: other settings**: {other}."
    for name, reason in subject["missing"].items():
        yield f"- **{subject['name']}: {name} is not in the table**: {reason}."


def differing(obtained: Mapping[str, str], facts: Mapping[str, Any]) -> str:
    """Settings in which a tool and our session differ, in words; empty for none."""
    pairs = [
        (theirs, value, str(facts[ours]))
        for theirs, ours in _SETTINGS.items()
        if (value := obtained.get(theirs)) is not None and facts.get(ours) is not None
    ]
    return ", ".join(
        f"{name} is {value}, ours is {own}" for name, value, own in pairs if value != own
    )
