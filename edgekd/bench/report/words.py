"""Numbers and flags in words, the same in the terminal and on the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edgekd.bench.result import DataFacts, Estimate, LatencySeries, Result, ResultRow, statistics

Verdict = tuple[Literal["good", "bad", "doubt", "none"], str]
"""A kind, for its colour and sign, and the words."""

__all__ = [
    "DASH",
    "MELANOMA",
    "TIMES",
    "PlainFlag",
    "Verdict",
    "accuracy_verdict",
    "amount",
    "block_medians",
    "block_spread",
    "count",
    "delta_points",
    "environment_line",
    "headline",
    "hottest",
    "interval",
    "joules",
    "kappa",
    "kappa_points",
    "melanoma",
    "milliseconds",
    "over_groups",
    "p50_p90",
    "percent",
    "percent_interval",
    "plain_flags",
    "plain_missing",
    "plain_number",
    "ratio",
    "smaller",
    "speed",
    "summary",
    "time_verdict",
    "weaker_classes",
    "why_not",
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
    "accelerator": "The accelerator that was asked for was not obtained in full: {}.",
    "accuracy-from-host": "Accuracy was taken on the host, not on the device: {}.",
    "accuracy-not-measured": "Accuracy was not measured: {}.",
    "clock-jump": "The clock jumped while times were taken: {}.",
    "clock-limit": "The processor may not run as fast as it can: {}.",
    "drift": "The times drifted while they were taken: {}.",
    "emulated": "The device is emulated, which says nothing about speed, memory or energy: {}.",
    "energy-not-measured": "Energy was not measured: {}.",
    "governor": "The processor was not set to a steady clock: {}.",
    "high-variation": "The times vary too much to be relied on: {}.",
    "model-alone": "The model alone was timed: {}.",
    "no-samples": "Only statistics of the runs are known: {}.",
    "latency-not-measured": "Speed was not measured: {}.",
    "memory-not-measured": "Memory was not measured: {}.",
    "other-load": "The machine was busy with other work: {}.",
    "partitions": "The engine runs the model in pieces, which costs time: {}.",
    "random-input": "The times were not taken on photos: {}.",
    "slow-clock": "The processor ran slower than it can: {}.",
    "smoke": "The times show that the chain works and are no measurement: {}.",
    "stolen-time": "The hypervisor kept the machine waiting: {}.",
    "sustained-not-measured": "A sustained run was not measured: {}.",
    "swap": "The machine was swapping memory to disk: {}.",
    "sweep-not-measured": "Other numbers of threads were not measured: {}.",
    "threads": "Not all threads that were asked for have a core: {}.",
    "throttled": "The processor was slowed down by heat or low voltage: {}.",
    "too-few-samples": "Fewer runs were taken than the preset asks for: {}.",
    "unknown-options": "The timing program does not know some of its options: {}.",
    "virtual-machine": "This is a virtual machine, whose host moves the clock: {}.",
    "unsteady": "The times went up and down while they were taken: {}.",
}

# Flags that say why a kind of number is null, the most telling one first.
_REASONS = {
    "latency": ("emulated", "latency-not-measured"),
    "memory": ("emulated", "memory-not-measured", "latency-not-measured"),
    "energy": ("emulated", "energy-not-measured"),
    "accuracy": ("accuracy-not-measured",),
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


def over_groups(data: DataFacts) -> str:
    """What the intervals take as independent, where that is not the images."""
    several = data.groups is not None and data.groups < data.n
    return f" over {data.groups:,} lesions or patients" if several else ""


def milliseconds(value: float | None) -> str:
    """Three significant digits, never in powers of ten."""
    if value is None:
        return DASH
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def plain_number(value: float) -> str:
    """0.5, 20, 1,500: as an axis shows it."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}"


def joules(value: float | None) -> str:
    """12.3 mJ."""
    if value is None:
        return DASH
    return f"{value:.2f} J" if value >= 1 else f"{milliseconds(1000 * value)} mJ"


def p50_p90(series: LatencySeries | None) -> str:
    """1.20 / 1.31."""
    if series is None:
        return DASH
    return f"{milliseconds(series.p50)} / {milliseconds(series.p90)}"


def block_medians(series: LatencySeries | None) -> str:
    """1.20-1.24: the fastest and the slowest of the run's five parts."""
    if series is None or not series.block_medians:
        return DASH
    low, high = (milliseconds(bound(series.block_medians)) for bound in (min, max))
    return low if low == high else f"{low}{_TO}{high}"


def block_spread(series: LatencySeries | None) -> str:
    """3.1 % apart; may be empty."""
    spread = statistics.block_spread(series.block_medians) if series is not None else None
    return "" if spread is None else f"{percent(spread)}{_PERCENT} apart"


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


def speed(row: ResultRow, result: Result) -> str:
    """Speed against the teacher, marked where the times of either are flagged."""
    if row.vs_teacher is None or row.vs_teacher.speedup_p50 is None:
        return DASH
    teachers_valid = all(each.valid for each in result.rows if each.role == "teacher")
    return ratio(row.vs_teacher.speedup_p50) + ("" if row.valid and teachers_valid else "!")


def melanoma(row: ResultRow) -> Estimate | None:
    """Sensitivity for melanoma, where the row was measured and the data has that class."""
    found = row.metrics.per_class.get(MELANOMA) if row.metrics is not None else None
    return found.sensitivity if found is not None else None


def kappa(row: ResultRow) -> Estimate | None:
    """Quadratic kappa, where the row was measured and its classes are grades."""
    return row.metrics.quadratic_kappa if row.metrics is not None else None


def why_not(row: ResultRow, kind: Literal["latency", "memory", "energy", "accuracy"]) -> str:
    """Why that kind of number is null, in the words of the row's flag; may be empty."""
    details = dict(flag.partition(": ")[::2] for flag in reversed(row.flags))
    return next((details[code] or code for code in _REASONS[kind] if code in details), "")


def accuracy_verdict(row: ResultRow) -> Verdict:
    """Balanced accuracy and, of grades, kappa beside the teacher's, by the paired intervals."""
    if row.metrics is None:
        return "none", "accuracy not measured"
    delta = row.vs_teacher.balanced_accuracy_delta if row.vs_teacher is not None else None
    if delta is None or delta.low is None or delta.high is None:
        return "none", "not compared"
    kappa_delta = row.vs_teacher.quadratic_kappa_delta if row.vs_teacher is not None else None
    worse = kappa_delta is not None and kappa_delta.high is not None and kappa_delta.high < 0
    if delta.high < 0 or worse:
        return "bad", "below teacher"
    return "good", "above teacher" if delta.low > 0 else "no loss shown"


def weaker_classes(row: ResultRow, teacher: ResultRow | None) -> list[str]:
    """Classes whose sensitivity lies below the teacher's whole interval, melanoma first."""
    if row.metrics is None or teacher is None or teacher.metrics is None:
        return []
    found = []
    for name, theirs in teacher.metrics.per_class.items():
        own = row.metrics.per_class.get(name)
        value, low = (own.sensitivity.value if own is not None else None), theirs.sensitivity.low
        if value is not None and low is not None and value < low:
            found.append(name)
    return sorted(found, key=lambda name: name != MELANOMA)


def time_verdict(row: ResultRow) -> Verdict:
    """Whether the times may be relied on."""
    if row.latency_ms is None:
        return "none", "not timed"
    return ("good", "times valid") if row.valid else ("doubt", "times flagged")


def delta_points(row: ResultRow) -> str:
    """-1.2 (-2.0 to -0.4): points of balanced accuracy against the teacher's."""
    return _points(row.vs_teacher.balanced_accuracy_delta if row.vs_teacher is not None else None)


def kappa_points(row: ResultRow) -> str:
    """Likewise of the quadratic kappa."""
    return _points(row.vs_teacher.quadratic_kappa_delta if row.vs_teacher is not None else None)


def _points(delta: Estimate | None) -> str:
    if delta is None or delta.value is None:
        return ""
    if delta.low is None or delta.high is None:
        return _signed(delta.value)
    return f"{_signed(delta.value)} ({_signed(delta.low)} to {_signed(delta.high)})"


def summary(rows: Sequence[ResultRow]) -> str:
    """One sentence over all artefacts: how many kept the accuracy, how many times are valid."""
    artefacts = [row for row in rows if row.role == "artefact"]
    if not artefacts:
        return ""
    accuracies = [accuracy_verdict(row) for row in artefacts]
    times = [time_verdict(row) for row in artefacts]
    parts = [_counted(accuracies, "good", "show no loss against the teacher")]
    parts.append(_counted(accuracies, "bad", "lost accuracy beyond chance"))
    parts.append(_counted(accuracies, "none", "could not be compared"))
    said = ", ".join(part for part in parts if part)
    timed = [_counted(times, "good", "valid"), _counted(times, "doubt", "flagged")]
    timed.append(_counted(times, "none", "not measured"))
    files = "1 file" if len(artefacts) == 1 else f"{len(artefacts)} files"
    return f"Of {files}: {said}. Times: {', '.join(part for part in timed if part)}."


def _counted(verdicts: Sequence[Verdict], kind: str, words: str) -> str:
    number = sum(each == kind for each, _ in verdicts)
    return f"{number} {words}" if number else ""


@dataclass(frozen=True)
class PlainFlag:
    """One kind of flag in words.

    Attributes:
        sentence: What is to be known. Where rows differ in it, it names them itself.
        rows: Names of the rows that carry it.
        names_rows: Whether the sentence names its rows.
        stem: The sentence without what differs; empty where nothing does.
        details: What differs, with the rows it is true of.
    """

    sentence: str
    rows: tuple[str, ...]
    names_rows: bool
    stem: str = ""
    details: tuple[tuple[str, tuple[str, ...]], ...] = ()


def plain_flags(rows: Sequence[tuple[str, ResultRow]]) -> list[PlainFlag]:
    """Each kind of flag once, with the names of the rows that carry it."""
    kinds: dict[str, dict[str, list[str]]] = {}
    for name, row in rows:
        for flag in row.flags:
            code, _, detail = flag.partition(": ")
            if code not in _SENTENCES:
                code, detail = flag, ""
            kinds.setdefault(code, {}).setdefault(detail, []).append(name)
    return [_plain_flag(code, details) for code, details in kinds.items()]


def plain_missing(sentence: str) -> str:
    """A sentence of `Result.missing`; where it quotes a row's flag, that one in plain words."""
    name, _, flag = sentence.partition(": ")
    code, _, detail = flag.partition(": ")
    # No other flags are told as missing: an error's own "threads: …" is left as it is.
    quoted = code.endswith("-not-measured") and code in _SENTENCES
    return f"{name}: {_SENTENCES[code].format(detail)}" if quoted else sentence


def hottest(row: ResultRow) -> str:
    """48 to 71 °C: the hottest sensor in the first and in the hottest minute; may be empty."""
    hot = [max(each.temperatures_c.values()) for each in row.sustained if each.temperatures_c]
    return f"{hot[0]:.0f} to {max(hot):.0f} °C" if hot else ""


def environment_line(result: Result) -> str:
    """Device, preset and time in a few words."""
    facts, host = result.device.facts, result.host
    known = [facts.get("model"), facts.get("cpu")]
    known.append(f"{facts['cores']} cores" if "cores" in facts else None)
    known.append(f"preset {host['preset']}" if "preset" in host else None)
    known.append(_threads(host["threads"]) if "threads" in host else None)
    known.append(result.created[:16].replace("T", " "))
    return ", ".join(str(each) for each in known if each)


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def _plain_flag(code: str, details: dict[str, list[str]]) -> PlainFlag:
    rows = tuple(dict.fromkeys(name for names in details.values() for name in names))
    several = len(details) > 1
    said = (f"{text} ({', '.join(names)})" if several else text for text, names in details.items())
    details_said = "; ".join(said)
    sentence = _SENTENCES[code].format(details_said) if code in _SENTENCES else code
    if not several:
        return PlainFlag(sentence, rows, names_rows=False)
    stem = _SENTENCES[code].format("").rstrip(": .") if code in _SENTENCES else code
    return PlainFlag(sentence, rows, True, stem, _by_rows(details))


def _by_rows(details: dict[str, list[str]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What differs, told once for the rows that share all of it."""
    of_row: dict[str, list[str]] = {}
    for text, names in details.items():
        for name in dict.fromkeys(names):
            of_row.setdefault(name, []).append(text)
    rows: dict[str, list[str]] = {}
    for name, texts in of_row.items():
        rows.setdefault("; ".join(texts), []).append(name)
    return tuple((text, tuple(names)) for text, names in rows.items())


def headline(row: ResultRow, result: Result) -> list[str]:
    """What an artefact is worth beside the teacher: sentences, the most general one first."""
    teacher = next((each for each in result.rows if each.role == "teacher"), None)
    sentences = [
        _size_and_speed(row, doubted=not (row.valid and (teacher is None or teacher.valid))),
        _accuracy(row, teacher),
        _kappa(row, teacher),
        _melanoma(row, teacher),
        _agreement(row, result.data.n),
    ]
    return [sentence for sentence in sentences if sentence]


def _size_and_speed(row: ResultRow, *, doubted: bool) -> str:
    versus = row.vs_teacher
    size = amount(row.size_bytes)
    if versus is not None and versus.size_ratio is not None:
        size += f", {smaller(versus.size_ratio)} than the teacher"
    if row.latency_ms is None:
        return f"{size}; speed not measured."
    speed = f"{milliseconds(row.latency_ms.model.p50)} ms per image"
    if versus is not None and versus.speedup_p50 is not None:
        speed += f", {ratio(versus.speedup_p50)} as fast as the teacher"
    doubt = " (times flagged below)" if doubted else ""
    return f"{speed}{doubt}; {size}."


def smaller(size_ratio: float) -> str:
    """36x smaller, with the right sign and word."""
    return f"{ratio(size_ratio)} smaller" if size_ratio >= 1 else f"{ratio(1 / size_ratio)} larger"


def _agreement(row: ResultRow, images: int) -> str:
    versus = row.vs_teacher
    if versus is None or versus.agreement is None:
        return ""
    return (
        f"Same decision as the teacher on {percent(versus.agreement)}{_PERCENT} of {images} images."
    )


def _accuracy(row: ResultRow, teacher: ResultRow | None) -> str:
    if row.metrics is None:
        return "Accuracy not measured."
    theirs = teacher.metrics.balanced_accuracy if teacher and teacher.metrics else None
    delta = row.vs_teacher.balanced_accuracy_delta if row.vs_teacher is not None else None
    return _beside("Balanced accuracy", row.metrics.balanced_accuracy, theirs, delta)


def _kappa(row: ResultRow, teacher: ResultRow | None) -> str:
    own = kappa(row)
    if own is None or own.value is None:
        return ""
    delta = row.vs_teacher.quadratic_kappa_delta if row.vs_teacher is not None else None
    return _beside("Quadratic kappa", own, kappa(teacher) if teacher is not None else None, delta)


def _beside(name: str, own: Estimate, theirs: Estimate | None, delta: Estimate | None) -> str:
    if own.value is None or theirs is None or delta is None or delta.value is None:
        return f"{name} {_with_bounds(own)}."
    both = f"{percent(own.value)}{_PERCENT}, teacher {percent(theirs.value)}{_PERCENT}"
    return f"{name} {both}: {_difference(delta)}."


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


def _melanoma(row: ResultRow, teacher: ResultRow | None) -> str:
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
