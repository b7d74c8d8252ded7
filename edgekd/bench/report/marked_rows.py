"""Rows of several results with their marks, and which of them can share a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property

import msgspec

from edgekd.bench.compare.margin import with_margins
from edgekd.bench.measure.flags import Flag, has_code
from edgekd.bench.report.columns import Columns, columns_of
from edgekd.bench.result import Latency, Result, ResultRow
from edgekd.bench.subjects.policy import policy_facts
from edgekd.policy import DEFAULT_POLICY

__all__ = [
    "Mark",
    "MarkedRow",
    "ReportPart",
    "Timed",
    "marked_rows_of",
    "parts_of",
    "places_of",
    "presentable",
    "timed_parts",
]

# Okabe and Ito 2008, without black (invisible in the dark) and yellow (invisible in the light).
_TEACHER, _STUDENT = "#D55E00", "#0072B2"
_ARTEFACTS = ("#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_SHAPES = {"teacher": "square", "student": "triangle", "artefact": "circle"}
_LETTERS = "ABCDEFGHIJKLMNOPQRUVWXYZ"  # S and T are the student and the teacher

_EMULATED = Flag("emulated", "no time, memory or energy is shown")


@dataclass(frozen=True)
class Mark:
    """How a row is drawn in every picture: a letter, a colour, a shape by role.

    Attributes:
        letter: The same for the same file on every device; a digit for the device follows where
            the report has several.
        colour: A colour of Okabe and Ito's palette.
        shape: square (teacher), triangle (student) or circle (artefact).
    """

    letter: str
    colour: str
    shape: str

    @property
    def on_dark(self) -> bool:
        """Whether a white letter is more legible on it than a black one."""
        return self.colour == _STUDENT


@dataclass(frozen=True)
class MarkedRow:
    """One row of one result.

    Attributes:
        row: The row.
        result: Its result.
        place: Name of the device, unique among the runs of the report.
        mark: How it is drawn.
        label: Its name, with the device where the report has several.
    """

    row: ResultRow
    result: Result
    place: str
    mark: Mark
    label: str

    @property
    def latency(self) -> Latency | None:
        """Its times, where they were measured on the named device."""
        return self.row.latency_ms


@dataclass(frozen=True)
class ReportPart:
    """Results that can share a picture: same schema, task, images and timed spans.

    Attributes:
        entries: The rows of the results.
        results: The results.
        apart: Sentences that say why it does not share the pictures of the parts before it.
    """

    entries: tuple[MarkedRow, ...]
    results: tuple[Result, ...]
    apart: tuple[str, ...]

    @cached_property
    def columns(self) -> Columns:
        """The metric columns of its tables and pictures."""
        return columns_of(self.results)

    @property
    def places(self) -> list[str]:
        """The name of the device of each result."""
        names = {id(entry.result): entry.place for entry in self.entries}
        return [names[id(result)] for result in self.results]


def presentable(result: Result) -> Result:
    """The result as it is reported.

    Every comparison has a margin, by the default policy where none is recorded; an emulated device
    has no time, memory or energy.
    """
    if result.policy is None:
        result = with_margins(result, policy_facts(DEFAULT_POLICY, result.data.classes))
    if not result.device.emulated:
        return result
    return msgspec.structs.replace(result, rows=[_without_speed(row) for row in result.rows])


def _without_speed(row: ResultRow) -> ResultRow:
    versus = row.vs_teacher
    if versus is not None:
        versus = msgspec.structs.replace(versus, speedup_p50=None)
    flagged = has_code(row.flags, _EMULATED.code)
    return msgspec.structs.replace(
        row,
        vs_teacher=versus,
        latency_ms=None,
        memory=None,
        energy=None,
        sweep=[],
        sustained=[],
        flags=row.flags if flagged else [*row.flags, _EMULATED],
    )


def places_of(results: Sequence[Result]) -> list[str]:
    """A unique name for the device of each result.

    Runs on one device are distinguished by their data, by their time, or by a number.
    """
    candidates: list[list[str]] = [[], [], []]
    for result in results:
        name = result.device.name
        candidates[0].append(name)
        candidates[1].append(f"{name} ({result.data.name})")
        candidates[2].append(f"{name} ({result.created[:16].replace('T', ' ')})")
    counts = [Counter(names) for names in candidates]
    return [_first_alone(candidates, counts, index) for index in range(len(results))]


def _first_alone(
    candidates: Sequence[Sequence[str]], counts: Sequence[Counter[str]], index: int
) -> str:
    for names, count in zip(candidates, counts, strict=True):
        if count[names[index]] == 1:
            return names[index]
    return f"{candidates[0][index]} (run {index + 1})"


def marked_rows_of(results: Sequence[Result]) -> list[MarkedRow]:
    """Every row of every result, marked; the same result given twice counts once."""
    unique: list[Result] = []
    for result in results:
        if result not in unique:
            unique.append(result)
    marks = _Marks(numbered=len(unique) > 1)
    entries = []
    for index, (result, place) in enumerate(zip(unique, places_of(unique), strict=True)):
        shown = presentable(result)
        for row in shown.rows:
            label = f"{row.name} on {place}" if len(unique) > 1 else row.name
            entries.append(MarkedRow(row, shown, place, marks.of(row, index), label))
    return entries


class _Marks:
    """Gives the same file the same letter and colour wherever it ran."""

    def __init__(self, *, numbered: bool) -> None:
        self._numbered = numbered
        self._known: dict[Hashable, tuple[str, str]] = {}
        self._artefacts = 0

    def of(self, row: ResultRow, place: int) -> Mark:
        identity = (row.role, row.sha256 or row.name, row.target, row.backend, row.precision)
        if identity not in self._known:
            self._known[identity] = self._next(row)
        letter, colour = self._known[identity]
        digit = str(place + 1) if self._numbered else ""
        return Mark(letter + digit, colour, _SHAPES[row.role])

    def _next(self, row: ResultRow) -> tuple[str, str]:
        taken = {letter for letter, _ in self._known.values()}
        first = {"teacher": ("T", _TEACHER), "student": ("S", _STUDENT)}.get(row.role)
        if first is not None and first[0] not in taken:
            return first
        letter = _letter(self._artefacts)
        colour = first[1] if first is not None else _ARTEFACTS[self._artefacts % len(_ARTEFACTS)]
        self._artefacts += 1
        return letter, colour


def _letter(index: int) -> str:
    turns, place = divmod(index, len(_LETTERS))
    return _LETTERS[place] * (turns + 1)


# ---- which results share a picture ----


def parts_of(entries: Sequence[MarkedRow]) -> list[ReportPart]:
    """The results split into parts whose pictures compare like with like.

    A result without any time joins the first part with its schema and images.
    """
    results = list({id(entry.result): entry.result for entry in entries}.values())
    groups: list[list[Result]] = []
    for result in sorted(results, key=lambda each: not _spans(each)):
        home = next((group for group in groups if not _differences(group[0], result)), None)
        if home is None:
            groups.append([result])
        else:
            home.append(result)
    order = {id(result): index for index, result in enumerate(results)}
    for group in groups:
        group.sort(key=lambda result: order[id(result)])
    groups.sort(key=lambda group: order[id(group[0])])
    return [
        ReportPart(
            tuple(entry for entry in entries if any(entry.result is each for each in group)),
            tuple(group),
            tuple(_apart(number, groups[number], group) for number in range(index)),
        )
        for index, group in enumerate(groups)
    ]


@dataclass(frozen=True)
class Timed:
    """Rows that share a picture of accuracy over time.

    Attributes:
        span: Description of the timed span.
        entries: Rows with times of that span.
        drawn: `entries`, and a teacher without times, whose accuracy is a line.
    """

    span: str
    entries: tuple[MarkedRow, ...]
    drawn: tuple[MarkedRow, ...]


def timed_parts(entries: Sequence[MarkedRow]) -> list[Timed]:
    """The rows of a part by the span that was timed, which usually is the same for all."""
    spans: dict[str, list[MarkedRow]] = {}
    for entry in entries:
        if entry.latency is not None:
            spans.setdefault(entry.latency.model_span, []).append(entry)
    teachers = [entry for entry in entries if entry.row.role == "teacher" and entry.latency is None]
    return [Timed(span, tuple(timed), (*timed, *teachers)) for span, timed in spans.items()]


def _apart(number: int, first: Sequence[Result], group: Sequence[Result]) -> str:
    reasons = _differences(_timed(first), _timed(group))
    return f"Not in one picture with part {number + 1}: {'; '.join(reasons)}."


def _timed(group: Sequence[Result]) -> Result:
    return next((result for result in group if _spans(result)), group[0])


def _differences(first: Result, second: Result) -> list[str]:
    reasons = []
    if _major(first) != _major(second):
        reasons.append(
            f"it is written in schema {second.schema_version}, that one in {first.schema_version}"
        )
    if first.task != second.task:
        reasons.append(f"another task ({second.task} here, {first.task} there)")
    if first.data.sha256 != second.data.sha256:
        reasons.append(f"other images ({_images(second)} here, {_images(first)} there)")
    spans, others = _spans(first), _spans(second)
    if spans and others and spans != others:
        here, there = (" and ".join(sorted(each)) for each in (others, spans))
        reasons.append(f"another span was timed ({here} here, {there} there)")
    return reasons


def _major(result: Result) -> str:
    return result.schema_version.split(".", maxsplit=1)[0]


def _images(result: Result) -> str:
    data = result.data
    return f"{data.n} of {data.name}/{data.split}, list {data.sha256[:8]}"


def _spans(result: Result) -> frozenset[str]:
    """The timed spans, each as `model span; end-to-end span`."""
    timed = (row.latency_ms for row in result.rows)
    return frozenset(f"{t.model_span}; {t.end_to_end_span}" for t in timed if t is not None)
