"""The tables, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from contest import ROWS
from summary import Aim, Spread, Summary

__all__ = ["markdown"]

_NONE = "–"


def markdown(result: dict[str, Any]) -> str:
    """The result as headings and tables, with the remarks that they need."""
    tables = result["summary"]
    parts = [
        _subject(result),
        "### From JPEG bytes to a decision, milliseconds",
        _speed(tables["speed"]),
        "### From the start of the process to the first decision, milliseconds",
        _cold(tables["cold"]),
        "### Peak resident memory, MB",
        _memory(tables["memory"]),
        "### Aims",
        _aims(result["aims"]),
        "\n".join(_remarks(result)),
    ]
    return "\n\n".join(parts) + "\n"


def _subject(result: dict[str, Any]) -> str:
    files = "; ".join(
        f"{one['model']} {one['image_size']} px, {one['backend']} {one['precision']}"
        for one in result["subjects"]
    )
    machine, load = result["machine"], result["load"]
    return (
        f"{files}. {machine.get('cpu')}, {machine.get('cores_usable')} cores, Python "
        f"{machine['python']}; edgekd {machine['edgekd']}, revision {result['revision']}. "
        f"{result['photos']['source']}. Load before: {load['before'][0]:.2f}; other processes took "
        f"{_share(load['other_share'])} of the processors meanwhile."
    )


def _share(value: float | None) -> str:
    return "an unknown share" if value is None else f"{value:.0%}"


def _speed(summary: Summary) -> str:
    head = ["", *(f"{size} | × floor | tutorial ÷ this" for size in summary)]
    rows = [
        [name, *(cell for size in summary for cell in _speed_cells(summary[size].get(name)))]
        for name in _names(summary)
    ]
    return _table(" | ".join(head), rows)


def _speed_cells(cell: dict[str, Any] | None) -> list[str]:
    if cell is None:
        return [_NONE] * 3
    by = cell["tutorial_by"]
    return [_number(cell["ms"]), _spread(cell["of_floor"]), f"{by.median:.2f}" if by else _NONE]


def _cold(summary: Summary) -> str:
    peer = next((one["quickest_peer"] for by in summary.values() for one in by.values()), None)
    titles = f"× {peer or 'quickest peer'} | interpreter | open | photo"
    head = ["", *(f"{size} | {titles}" for size in summary)]
    rows = [
        [name, *(cell for size in summary for cell in _cold_cells(summary[size].get(name)))]
        for name in _names(summary)
    ]
    return _table(" | ".join(head), rows)


def _cold_cells(cell: dict[str, Any] | None) -> list[str]:
    if cell is None:
        return [_NONE] * 5
    steps = [f"{cell['steps'][step]:.0f}" for step in ("interpreter", "open", "photo")]
    return [_number(cell["ms"]), _spread(cell["of_quickest_peer"]), *steps]


def _memory(summary: Summary) -> str:
    head = ["", *(f"{size} | × floor" for size in summary)]
    rows = [
        [
            name,
            *(
                text
                for size in summary
                for cell in [summary[size].get(name)]
                for text in (
                    [f"{cell['mb'].median:.0f}", _spread(cell["of_floor"])] if cell else [_NONE] * 2
                )
            ),
        ]
        for name in _names(summary)
    ]
    return _table(" | ".join(head), rows)


def _aims(aims: Sequence[Aim]) -> str:
    rows = [
        [
            aim.what,
            f"{'≥' if aim.at_least else '≤'} {aim.limit:.2f}",
            _spread(aim.measured),
            {True: "yes", False: "**no**", None: "not measured"}[aim.met],
        ]
        for aim in aims
    ]
    return _table("aim | limit | measured | met", rows)


def _remarks(result: dict[str, Any]) -> Iterator[str]:
    effort = result["effort"]
    yield (
        f"Medians; in brackets the smallest and the largest of {effort['rounds']} rounds (speed), "
        f"{effort['cold']} starts, {effort['memory']} processes (memory). Ratios are taken within "
        "a turn (speed) or a run, then their median. One thread for each engine; OpenCV's own "
        "threads as it comes."
    )
    yield from ("", *(f"- {row.name}: {row.what}." for row in ROWS))
    for name, reason in result["missing"].items():
        yield f"- **{name} is not in the tables**: {reason}."
    for one in result["subjects"]:
        if not one["quality_checks"]:
            yield f"- **The {one['backend']} bundle has no limits of capture quality**: unchecked."
    for size, answers in result["labels"].items():
        differing = _differing(answers)
        if differing:
            yield f"- {size}: other labels than edgekd: {', '.join(differing)}."


def _differing(answers: dict[str, list[str]]) -> list[str]:
    """Contestants with edgekd's model file and other answers, with the number of such photos."""
    ours = answers.get("edgekd")
    if ours is None:
        return []
    counts = {
        name: sum(one != other for one, other in zip(labels, ours, strict=True))
        for name, labels in answers.items()
    }
    return [f"{name} on {count} of {len(ours)}" for name, count in counts.items() if count]


def _names(summary: Summary) -> list[str]:
    """Contestants in the order of `ROWS`."""
    there = {name for by_name in summary.values() for name in by_name}
    return [row.name for row in ROWS if row.name in there]


def _number(spread: Spread) -> str:
    digits = 2 if spread.median < 10 else 1 if spread.median < 100 else 0
    return f"{spread.median:.{digits}f}"


def _spread(spread: Spread | None) -> str:
    return _NONE if spread is None else str(spread)


def _table(head: str, rows: Sequence[Sequence[str]]) -> str:
    columns = head.count("|") + 1
    lines = [f"| {head.strip()} |", "|---|" + "---:|" * (columns - 1)]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)
