"""Numbers and flags in words, the same in the terminal and on the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekd.bench.result import Estimate, LatencySeries, Result, Row

__all__ = [
    "DASH",
    "MELANOMA",
    "TIMES",
    "PlainFlag",
    "amount",
    "count",
    "headline",
    "interval",
    "melanoma",
    "milliseconds",
    "p50_p90",
    "percent",
    "percent_interval",
    "plain_flags",
    "ratio",
    "speed",
]

DASH = "\N{EM DASH}"
"""Stands where nothing was measured."""

MELANOMA = "mel"
"""The class whose sensitivity is told first (the abbreviation of HAM10000 and ISIC)."""

_TO = "\N{EN DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"
_MINUS = "\N{MINUS SIGN}"
_PERCENT = "\N{NO-BREAK SPACE}%"  # keeps number and unit on one line of a phone

_SENTENCES = {
    "accuracy-from-host": "Accuracy was taken on the host, not on the device: {}.",
    "accuracy-not-measured": "Accuracy was not measured: {}.",
    "drift": "The times drifted while they were taken: {}.",
    "high-variation": "The times vary too much to be relied on: {}.",
    "latency-not-measured": "Speed was not measured: {}.",
    "memory-not-measured": "Memory was not measured: {}.",
    "other-load": "The machine was busy with other work: {}.",
    "smoke": "The times show that the chain works and are no measurement: {}.",
    "too-few-samples": "Fewer runs were taken than the preset asks for: {}.",
}


def percent(value: float | None) -> str:
    """83.1 of 0.831."""
    return DASH if value is None else f"{100 * value:.1f}"


def interval(estimate: Estimate | None) -> str:
    """80.2-85.9 of its bounds, with an en dash."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return ""
    return f"{percent(estimate.low)}{_TO}{percent(estimate.high)}"


def percent_interval(estimate: Estimate | None) -> str:
    """83.1 (80.2-85.9)."""
    if estimate is None or estimate.value is None:
        return DASH
    bounds = interval(estimate)
    return percent(estimate.value) + (f" ({bounds})" if bounds else "")


def milliseconds(value: float | None) -> str:
    """Three significant digits, never in powers of ten."""
    if value is None:
        return DASH
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def p50_p90(series: LatencySeries | None) -> str:
    """1.20 / 1.31."""
    if series is None:
        return DASH
    return f"{milliseconds(series.p50)} / {milliseconds(series.p90)}"


def amount(size_bytes: int | None) -> str:
    """2.6 MB: powers of ten, as file managers and data sheets count."""
    if size_bytes is None:
        return DASH
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= scale:
            number = size_bytes / scale
            return f"{number:.0f} {unit}" if number >= 100 else f"{number:.1f} {unit}"
    return f"{size_bytes} B"


def count(number: int | None) -> str:
    """2.23 M."""
    if number is None:
        return DASH
    for unit, scale in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= scale:
            return f"{number / scale:.3g} {unit}"
    return str(number)


def ratio(value: float | None) -> str:
    """34x, with the right sign."""
    if value is None:
        return DASH
    return (
        f"{value:.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"
    ) + TIMES


def speed(row: Row, result: Result) -> str:
    """Speed against the teacher, marked where the times of either are flagged."""
    if row.vs_teacher is None or row.vs_teacher.speedup_p50 is None:
        return DASH
    teachers_valid = all(each.valid for each in result.rows if each.role == "teacher")
    return ratio(row.vs_teacher.speedup_p50) + ("" if row.valid and teachers_valid else "!")


def melanoma(row: Row) -> Estimate | None:
    """Sensitivity for melanoma, where the row was measured and the data has that class."""
    found = row.metrics.per_class.get(MELANOMA) if row.metrics is not None else None
    return found.sensitivity if found is not None else None


@dataclass(frozen=True)
class PlainFlag:
    """One kind of flag in words.

    Attributes:
        sentence: What is to be known. Where rows differ in it, it names them itself.
        rows: Names of the rows that carry it.
        names_rows: Whether the sentence names its rows.
    """

    sentence: str
    rows: tuple[str, ...]
    names_rows: bool


def plain_flags(rows: Sequence[Row]) -> list[PlainFlag]:
    """Each kind of flag once, with the rows that carry it."""
    kinds: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        for flag in row.flags:
            code, _, detail = flag.partition(": ")
            if code not in _SENTENCES:
                code, detail = flag, ""
            kinds.setdefault(code, {}).setdefault(detail, []).append(row.name)
    return [_plain_flag(code, details) for code, details in kinds.items()]


def _plain_flag(code: str, details: dict[str, list[str]]) -> PlainFlag:
    rows = tuple(dict.fromkeys(name for names in details.values() for name in names))
    several = len(details) > 1
    said = (f"{text} ({', '.join(names)})" if several else text for text, names in details.items())
    details_said = "; ".join(said)
    sentence = _SENTENCES[code].format(details_said) if code in _SENTENCES else code
    return PlainFlag(sentence, rows, names_rows=several)


def headline(row: Row, result: Result) -> list[str]:
    """What an artefact is worth beside the teacher: sentences, the most general one first."""
    teacher = next((each for each in result.rows if each.role == "teacher"), None)
    sentences = [
        _size_and_speed(row, doubted=not (row.valid and (teacher is None or teacher.valid))),
        _accuracy(row, teacher),
        _melanoma(row, teacher),
        _agreement(row, result.data.n),
    ]
    return [sentence for sentence in sentences if sentence]


def _size_and_speed(row: Row, *, doubted: bool) -> str:
    versus = row.vs_teacher
    size = amount(row.size_bytes)
    if versus is not None and versus.size_ratio is not None:
        size += f", {_smaller(versus.size_ratio)} than the teacher"
    if row.latency_ms is None:
        return f"{size}; speed not measured."
    speed = f"{milliseconds(row.latency_ms.model.p50)} ms per image"
    if versus is not None and versus.speedup_p50 is not None:
        speed += f", {ratio(versus.speedup_p50)} as fast as the teacher"
    doubt = " (times flagged below)" if doubted else ""
    return f"{speed}{doubt}; {size}."


def _smaller(size_ratio: float) -> str:
    return f"{ratio(size_ratio)} smaller" if size_ratio >= 1 else f"{ratio(1 / size_ratio)} larger"


def _agreement(row: Row, images: int) -> str:
    versus = row.vs_teacher
    if versus is None or versus.agreement is None:
        return ""
    return (
        f"Same decision as the teacher on {percent(versus.agreement)}{_PERCENT} of {images} images."
    )


def _accuracy(row: Row, teacher: Row | None) -> str:
    if row.metrics is None:
        return "Accuracy not measured."
    own = row.metrics.balanced_accuracy
    delta = row.vs_teacher.balanced_accuracy_delta if row.vs_teacher is not None else None
    if teacher is None or teacher.metrics is None or delta is None or own.value is None:
        return f"Balanced accuracy {_with_bounds(own)}."
    other = percent(teacher.metrics.balanced_accuracy.value)
    both = f"{percent(own.value)}{_PERCENT}, teacher {other}{_PERCENT}"
    return f"Balanced accuracy {both}: {_difference(delta)}."


def _difference(delta: Estimate) -> str:
    points = f"{_signed(delta.value)} points"
    if delta.low is None or delta.high is None:
        return points
    points += f" (95{_PERCENT} interval {_signed(delta.low)} to {_signed(delta.high)})"
    if delta.high < 0:
        return f"{points}, a loss beyond chance"
    if delta.low > 0:
        return f"{points}, a gain beyond chance"
    return f"{points}, a difference that chance can explain"


def _melanoma(row: Row, teacher: Row | None) -> str:
    own = melanoma(row)
    if own is None or own.value is None:
        return ""
    against = melanoma(teacher) if teacher is not None else None
    tail = f"; teacher {_with_bounds(against)}" if against is not None else ""
    return f"Melanoma sensitivity {_with_bounds(own)}{tail}."


def _with_bounds(estimate: Estimate) -> str:
    if estimate.value is None:
        return "not known"
    bounds = interval(estimate)
    return f"{percent(estimate.value)}{_PERCENT}" + (f" ({bounds})" if bounds else "")


def _signed(share: float | None) -> str:
    text = f"{100 * (share or 0.0):+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", _MINUS)
