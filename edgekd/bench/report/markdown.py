"""The results as Markdown, for a pull request or a wiki."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from edgekd.bench.report import formats, states
from edgekd.bench.report.columns import policy_of
from edgekd.bench.report.flags import missing_sentence, plain_flags
from edgekd.bench.report.marked_rows import MarkedRow, ReportPart, marked_rows_of, parts_of
from edgekd.bench.result import Result
from edgekd.bench.task import MetricColumn
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
    """The report as text: overview, one table for each comparable part, limits, environment.

    Raises:
        InputError: There is no result.
    """
    if not results:
        raise InputError("there is no result to report", "give a file of `edgekd bench --json`")
    entries = marked_rows_of(results)
    sections = parts_of(entries)
    blocks = ["# What arrived on the device", _safe(states.summary([e.row for e in entries]))]
    for number, section in enumerate(sections, 1):
        blocks += _part(section, f"Part {number}: " if len(sections) > 1 else "")
    blocks += _limits(entries)
    blocks += _environment({entry.place: entry.result for entry in entries})
    return "\n\n".join(block for block in blocks if block) + "\n"


def _safe(text: str) -> str:
    """Text of a result file, escaped so that it is never markup."""
    return text.translate(_SPECIAL)


def _part(section: ReportPart, prefix: str) -> list[str]:
    data = section.results[0].data
    places = ", ".join(section.places)
    title = f"## {prefix}{data.n:,} images of {data.name}/{data.split}, on {places}"
    title = "## " + _safe(title[3:])
    columns = _columns(section)
    heads = ["", "File", *columns]
    lines = [heads, [":--", ":--", *["--:"] * len(columns)]]
    lines += [
        [entry.mark.letter, _safe(entry.label), *(_safe(cell(entry)) for cell in columns.values())]
        for entry in section.entries
    ]
    groups = formats.over_groups(data, policy_of(section.results[0]))
    note = (
        f"Percentages with 95 % interval{groups}; milliseconds per image; "
        "`!`: flagged, see below; "
        f"{formats.DASH}: not measured on the named device."
    )
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return [title, *map(_safe, section.apart), table, note]


def _columns(part: ReportPart) -> dict[str, Callable[[MarkedRow], str]]:
    columns: dict[str, Callable[[MarkedRow], str]] = {}
    for index, column in enumerate(part.columns.headline):
        columns[_with_unit(column)] = partial(_metric, column)
        if index == 0:
            columns["Points to teacher" if column.percent else "Difference to teacher"] = partial(
                _delta, column
            )
    columns["State"] = _state
    columns["Model p50 / p90, ms"] = _model
    columns["Whole p50 / p90, ms"] = _whole
    columns["Speed, × teacher"] = lambda each: formats.speedup(each.row, each.result)
    columns["Memory"] = lambda each: formats.amount(
        each.row.memory.rss_peak_delta_bytes if each.row.memory else None
    )
    columns["Size"] = lambda each: formats.amount(each.row.size_bytes)
    return columns


def _with_unit(column: MetricColumn) -> str:
    return f"{column.title}, {column.unit}" if column.unit else column.title


def _metric(column: MetricColumn, entry: MarkedRow) -> str:
    return formats.estimate_text(column.estimate(entry.row.metrics), percentage=column.percent)


def _delta(column: MetricColumn, entry: MarkedRow) -> str:
    return formats.delta_points(entry.row, column) or formats.DASH


def _state(entry: MarkedRow) -> str:
    """Non-inferiority and floors, of all rows but the teacher."""
    if entry.row.role == "teacher":
        return formats.DASH
    research = states.research_state(entry.row)
    texts = [states.margin_state(entry.row).text, *([research.text] if research else [])]
    return "; ".join(texts)


def _model(entry: MarkedRow) -> str:
    series = entry.latency.model if entry.latency else None
    return formats.p50_p90(series) + ("" if entry.row.valid else " !")


def _whole(entry: MarkedRow) -> str:
    return formats.p50_p90(entry.latency.end_to_end if entry.latency else None)


def _limits(entries: Sequence[MarkedRow]) -> list[str]:
    letters = {entry.label: entry.mark.letter for entry in entries}
    lines = [
        f"- {_safe(entry.label)}: {states.research_text(entry.row)}: "
        f"{_safe('; '.join(entry.row.below_floors))}"
        for entry in entries
        if entry.row.research
    ]
    for place, result in {entry.place: entry.result for entry in entries}.items():
        lines += [
            f"- {_safe(place)}: {_safe(missing_sentence(missing))}" for missing in result.missing
        ]
    for flag in plain_flags([(entry.label, entry.row) for entry in entries]):
        carriers = ", ".join(letters[label] for label in flag.rows)
        lines.append(f"- {_safe(flag.sentence)} ({carriers})")
    return ["## To know before using these numbers", "\n".join(lines)] if lines else []


def _environment(results: dict[str, Result]) -> list[str]:
    blocks = ["## Where and how"]
    for place, result in results.items():
        fence = "    " + result.command.replace("\n", " ")
        blocks += [f"{_safe(place)}: {_safe(formats.environment_line(result))}", fence]
    return blocks
