"""The results as Markdown: for a pull request or a wiki."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from edgekd.bench.report import words
from edgekd.bench.report.marked_rows import MarkedRow, ReportPart, entries_of, sections_of
from edgekd.bench.result import Result, ResultRow
from edgekd.errors import InputError
from edgekd.files import write_atomically

__all__ = ["markdown_of", "write_markdown"]

_SPECIAL = str.maketrans({c: f"\\{c}" for c in "\\`*_{}[]<>|#"} | {"\n": " ", "\r": " "})


def write_markdown(results: Sequence[Result], out: Path) -> None:
    """Write the Markdown, whole or not at all.

    Raises:
        InputError: There is no result, or the place cannot be written to.
    """
    try:
        write_atomically(out, markdown_of(results))
    except OSError as error:
        message = f"cannot write the report to {out}: {error.strerror}"
        raise InputError(message, "choose another place for --markdown") from error


def markdown_of(results: Sequence[Result]) -> str:
    """The report as text: overview, what limits it, one table per comparable part, environment.

    Raises:
        InputError: There is no result.
    """
    if not results:
        raise InputError("there is no result to report", "give a file of `edgekd bench --json`")
    entries = entries_of(results)
    sections = sections_of(entries)
    blocks = ["# What arrived on the device", _safe(words.summary([e.row for e in entries]))]
    for number, section in enumerate(sections, 1):
        blocks += _part(section, f"Part {number}: " if len(sections) > 1 else "")
    blocks += _limits(entries)
    blocks += _environment({entry.place: entry.result for entry in entries})
    return "\n\n".join(block for block in blocks if block) + "\n"


def _safe(text: str) -> str:
    """Names and sentences of a result file as text, never as markup."""
    return text.translate(_SPECIAL)


def _part(section: ReportPart, prefix: str) -> list[str]:
    data = section.results[0].data
    places = ", ".join(section.places)
    title = f"## {prefix}{data.n:,} images of {data.name}/{data.split}, on {places}"
    title = "## " + _safe(title[3:])
    columns = _columns(section.entries)
    heads = ["", "File", *columns]
    lines = [heads, [":--", ":--", *["--:"] * len(columns)]]
    lines += [
        [entry.mark.letter, _safe(entry.label), *(_safe(cell(entry)) for cell in columns.values())]
        for entry in section.entries
    ]
    note = (
        f"Percentages with 95 % interval{words.over_groups(data)}; milliseconds per image; "
        "`!`: flagged, see below; "
        f"{words.DASH}: not measured on the named device."
    )
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return [title, *map(_safe, section.apart), table, note]


def _columns(entries: Sequence[MarkedRow]) -> dict[str, Callable[[MarkedRow], str]]:
    columns: dict[str, Callable[[MarkedRow], str]] = {"Balanced accuracy, %": _balanced_accuracy}
    columns["Points to teacher"] = lambda each: words.delta_points(each.row) or words.DASH
    if any(words.melanoma(entry.row) is not None for entry in entries):
        columns["Melanoma sensitivity, %"] = lambda e: words.percent_interval(words.melanoma(e.row))
    if any(words.kappa(entry.row) is not None for entry in entries):
        columns["Quadratic kappa, %"] = lambda e: words.percent_interval(words.kappa(e.row))
    columns["Model p50 / p90, ms"] = _model
    columns["Whole p50 / p90, ms"] = _whole
    columns["Speed, × teacher"] = lambda each: words.speed(each.row, each.result)
    columns["Memory"] = lambda each: words.amount(
        each.row.memory.rss_peak_delta_bytes if each.row.memory else None
    )
    columns["Size"] = lambda each: words.amount(each.row.size_bytes)
    return columns


def _balanced_accuracy(entry: MarkedRow) -> str:
    metrics = entry.row.metrics
    return words.percent_interval(metrics.balanced_accuracy if metrics is not None else None)


def _model(entry: MarkedRow) -> str:
    return words.p50_p90(entry.latency.model if entry.latency else None) + _mark(entry.row)


def _whole(entry: MarkedRow) -> str:
    return words.p50_p90(entry.latency.end_to_end if entry.latency else None)


def _mark(row: ResultRow) -> str:
    return "" if row.valid else " !"


def _limits(entries: Sequence[MarkedRow]) -> list[str]:
    letters = {entry.label: entry.mark.letter for entry in entries}
    lines = []
    for place, result in {entry.place: entry.result for entry in entries}.items():
        lines += [
            f"- {_safe(place)}: {_safe(words.plain_missing(sentence))}"
            for sentence in result.missing
        ]
    for flag in words.plain_flags([(entry.label, entry.row) for entry in entries]):
        carriers = ", ".join(letters[label] for label in flag.rows)
        lines.append(f"- {_safe(flag.sentence)} ({carriers})")
    return ["## To know before using these numbers", "\n".join(lines)] if lines else []


def _environment(results: dict[str, Result]) -> list[str]:
    blocks = ["## Where and how"]
    for place, result in results.items():
        fence = "    " + result.command.replace("\n", " ")
        blocks += [f"{_safe(place)}: {_safe(words.environment_line(result))}", fence]
    return blocks
