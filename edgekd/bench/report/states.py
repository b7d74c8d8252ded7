"""The state of a row in a few words with a colour: non-inferiority, floors, classes, times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple

from edgekd.bench.result import PolicyFacts, ResultRow
from edgekd.bench.subjects.policy import NOT_CERTIFIED
from edgekd.bench.task import policy_order

__all__ = [
    "RowState",
    "margin_lines",
    "margin_names",
    "margin_state",
    "research_state",
    "research_text",
    "summary",
    "time_state",
    "weaker_classes",
]

_BELOW_FLOOR, _UNCERTIFIED = "for research, floor not met", "for research, not certified"

_MARGIN_WORDS = {
    "not-inferior": ("good", "not inferior to teacher"),
    "inferior": ("bad", "inferior to teacher"),
    "not-shown": ("doubt", "not shown either way"),
}


class RowState(NamedTuple):
    """A state with its colour and sign: `good` has the tick."""

    kind: Literal["good", "bad", "doubt", "none"]
    text: str


def margin_state(row: ResultRow) -> RowState:
    """Non-inferiority to the teacher; a tick only where the margin is shown to be kept."""
    if row.metrics is None:
        return RowState("none", "accuracy not measured")
    margin = row.vs_teacher.margin if row.vs_teacher is not None else None
    if margin is None:
        return RowState("none", "not compared")
    return RowState(*_MARGIN_WORDS[margin.state])  # type: ignore[arg-type]


def research_state(row: ResultRow) -> RowState | None:
    """The mark of a bundle for research: below a floor, or not certified; None for others."""
    return RowState("bad", research_text(row)) if row.research else None


def research_text(row: ResultRow) -> str:
    """Why a bundle is for research alone, in a few words."""
    uncertified = any(sentence.startswith(NOT_CERTIFIED) for sentence in row.below_floors)
    return _UNCERTIFIED if uncertified else _BELOW_FLOOR


def time_state(row: ResultRow) -> RowState:
    """Whether the times can be relied on."""
    if row.latency_ms is None:
        return RowState("none", "not timed")
    return RowState("good", "times valid") if row.valid else RowState("doubt", "times flagged")


def weaker_classes(row: ResultRow, teacher: ResultRow | None, policy: PolicyFacts) -> list[str]:
    """Classes whose sensitivity lies below the teacher's whole interval, in the policy's order."""
    if row.metrics is None or teacher is None or teacher.metrics is None:
        return []
    weaker = []
    for name, reference in teacher.metrics.per_class.items():
        metrics = row.metrics.per_class.get(name)
        value = metrics.sensitivity.value if metrics is not None else None
        low = reference.sensitivity.low
        if value is not None and low is not None and value < low:
            weaker.append(name)
    return policy_order(weaker, policy)


def margin_names(rows: Sequence[ResultRow]) -> list[str]:
    """Every margin once: `margin 0.05 of balanced accuracy (dermoscopy)`."""
    return list(_rows_by_margin(rows))


def margin_lines(rows: Sequence[ResultRow]) -> list[str]:
    """One line for each margin, with the rows in each state."""
    lines = []
    for name, states in _rows_by_margin(rows).items():
        parts = (f"{text}: {', '.join(names)}" for text, names in states.items())
        lines.append(f"Against the teacher, {name}: {'; '.join(parts)}.")
    return lines


def _rows_by_margin(rows: Sequence[ResultRow]) -> dict[str, dict[str, list[str]]]:
    """Names of the compared rows by margin and state, in words."""
    margins: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        margin = row.vs_teacher.margin if row.vs_teacher is not None else None
        if margin is not None:
            metric = margin.metric.replace("_", " ")
            name = f"margin {margin.margin:g} of {metric} ({margin.policy})"
            text = _MARGIN_WORDS[margin.state][1].removesuffix(" to teacher")
            margins.setdefault(name, {}).setdefault(text, []).append(row.name)
    return margins


def summary(rows: Sequence[ResultRow]) -> str:
    """One sentence on all artefacts: how many keep the margin, and how many have valid times."""
    artefacts = [row for row in rows if row.role == "artefact"]
    if not artefacts:
        return ""
    margins = [margin_state(row) for row in artefacts]
    parts = [
        _counted(margins, "good", "not inferior to the teacher"),
        _counted(margins, "bad", "inferior to the teacher"),
        _counted(margins, "doubt", "not shown either way"),
        _counted(margins, "none", "not compared"),
    ]
    research = Counter(research_text(row) for row in artefacts if row.research)
    parts += [f"{number} {text}" for text, number in research.items()]
    times = [time_state(row) for row in artefacts]
    timed = [
        _counted(times, "good", "valid"),
        _counted(times, "doubt", "flagged"),
        _counted(times, "none", "not measured"),
    ]
    files = "1 file" if len(artefacts) == 1 else f"{len(artefacts)} files"
    return f"Of {files}: {_joined(parts)}. Times: {_joined(timed)}."


def _joined(parts: Sequence[str]) -> str:
    return ", ".join(part for part in parts if part)


def _counted(states: Sequence[RowState], kind: str, text: str) -> str:
    number = sum(state.kind == kind for state in states)
    return f"{number} {text}" if number else ""
