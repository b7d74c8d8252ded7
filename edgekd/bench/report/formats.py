"""Numbers as text, the same in the terminal, in Markdown and on the page."""

from __future__ import annotations

from edgekd.bench.result import Estimate, LatencySeries, PolicyFacts, Result, ResultRow, statistics
from edgekd.bench.result.schema import DataFacts
from edgekd.bench.task import MetricColumn

__all__ = [
    "DASH",
    "PERCENT",
    "TIMES",
    "amount",
    "block_medians",
    "block_spread",
    "count",
    "delta_points",
    "environment_line",
    "estimate_text",
    "estimate_with_unit",
    "hottest",
    "interval",
    "joules",
    "milliseconds",
    "over_groups",
    "p50_p90",
    "percent",
    "percent_interval",
    "plain_number",
    "ratio",
    "signed",
    "smaller",
    "speedup",
    "value_text",
]

DASH = "\N{EM DASH}"
"""Shown where nothing was measured."""

TIMES = "\N{MULTIPLICATION SIGN}"
PERCENT = "\N{NO-BREAK SPACE}%"  # keeps number and unit on one line of a phone
_TO = "\N{EN DASH}"
_MINUS = "\N{MINUS SIGN}"


# ---- shares and other metrics ----


def percent(value: float | None) -> str:
    """A share in percent, without the sign: `83.1` for 0.831."""
    return DASH if value is None else f"{100 * value:.1f}"


def percent_interval(estimate: Estimate | None) -> str:
    """A share in percent with its interval: `83.1 (80.2-85.9)`."""
    return estimate_text(estimate, percentage=True)


def value_text(value: float | None, *, percentage: bool = True) -> str:
    """`83.1` for a share of 0.831; `3.42` for another number, to three significant digits."""
    if value is None or percentage:
        return percent(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def interval(estimate: Estimate | None, *, percentage: bool = True) -> str:
    """80.2-85.9 for the bounds, with an en dash; empty without an interval."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return ""
    low, high = (value_text(end, percentage=percentage) for end in (estimate.low, estimate.high))
    return f"{low}{_TO}{high}" if not low.startswith("-") else f"{low} to {high}"


def estimate_text(estimate: Estimate | None, *, percentage: bool = True) -> str:
    """83.1 (80.2-85.9); a dash where nothing was measured."""
    if estimate is None or estimate.value is None:
        return DASH
    bounds = interval(estimate, percentage=percentage)
    value = value_text(estimate.value, percentage=percentage)
    return value + (f" ({bounds})" if bounds else "")


def estimate_with_unit(estimate: Estimate | None, column: MetricColumn) -> str:
    """A metric for sentences: `83.1 % (80.2-85.9)`."""
    if estimate is None or estimate.value is None:
        return "not known"
    bounds = interval(estimate, percentage=column.percent)
    unit = PERCENT if column.percent else ""
    value = value_text(estimate.value, percentage=column.percent)
    return value + unit + (f" ({bounds})" if bounds else "")


def delta_points(row: ResultRow, column: MetricColumn) -> str:
    """The difference to the teacher, `-1.2 (-2.0 to -0.4)`; empty where there is none."""
    delta = column.delta(row.vs_teacher)
    if delta is None or delta.value is None:
        return ""
    ends = [signed(end, column) for end in (delta.value, delta.low, delta.high)]
    return ends[0] if delta.low is None else f"{ends[0]} ({ends[1]} to {ends[2]})"


def signed(value: float | None, column: MetricColumn) -> str:
    """+1.2 points of a share, or +0.034 of another number."""
    number = value or 0.0
    text = f"{100 * number:+.1f}" if column.percent else f"{number:+.3g}"
    return text.lstrip("+-") if float(text) == 0 else text.replace("-", _MINUS)


def over_groups(data: DataFacts, policy: PolicyFacts | None) -> str:
    """` over 50 lesions or patients`, if intervals take these as independent units; else empty."""
    if data.groups is None or data.groups >= data.n:
        return ""
    return f" over {data.groups:,} {policy.groups if policy is not None else 'groups'}"


# ---- times ----


def milliseconds(value: float | None) -> str:
    """A time to three significant digits, never in scientific notation."""
    if value is None:
        return DASH
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def p50_p90(series: LatencySeries | None) -> str:
    """p50 and p90 in milliseconds: `1.20 / 1.31`."""
    if series is None:
        return DASH
    return f"{milliseconds(series.p50)} / {milliseconds(series.p90)}"


def block_medians(series: LatencySeries | None) -> str:
    """Medians of the fastest and slowest of the run's five parts: `1.20-1.24`."""
    if series is None or not series.block_medians:
        return DASH
    low, high = (milliseconds(bound(series.block_medians)) for bound in (min, max))
    return low if low == high else f"{low}{_TO}{high}"


def block_spread(series: LatencySeries | None) -> str:
    """`3.1 % apart`; empty without blocks."""
    spread = statistics.block_spread(series.block_medians) if series is not None else None
    return "" if spread is None else f"{percent(spread)}{PERCENT} apart"


def speedup(row: ResultRow, result: Result) -> str:
    """Speed relative to the teacher, with `!` where the times of either are flagged."""
    if row.vs_teacher is None or row.vs_teacher.speedup_p50 is None:
        return DASH
    teachers_valid = all(each.valid for each in result.rows if each.role == "teacher")
    return ratio(row.vs_teacher.speedup_p50) + ("" if row.valid and teachers_valid else "!")


# ---- amounts ----


def plain_number(value: float) -> str:
    """A number for the ticks of an axis: `0.5`, `20`, `1,500`."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}"


def joules(value: float | None) -> str:
    """An energy with its unit: `12.3 mJ`."""
    if value is None:
        return DASH
    return f"{value:.2f} J" if value >= 1 else f"{milliseconds(1000 * value)} mJ"


def amount(size_bytes: int | None) -> str:
    """A size in powers of ten, as file managers and data sheets count: `2.6 MB`."""
    if size_bytes is None:
        return DASH
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= scale:
            number = size_bytes / scale
            return f"{number:.0f} {unit}" if number >= 100 else f"{number:.1f} {unit}"
    return f"{size_bytes} B"


def count(number: int | None) -> str:
    """A count with its unit: `2.23 M`."""
    if number is None:
        return DASH
    for unit, scale in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= scale:
            return f"{number / scale:.3g} {unit}"
    return str(number)


def ratio(value: float | None) -> str:
    """A ratio with the multiplication sign: `34x`."""
    if value is None:
        return DASH
    number = f"{value:.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"
    return number + TIMES


def smaller(size_ratio: float) -> str:
    """`36x smaller`, or `2x larger` for a ratio below 1."""
    return f"{ratio(size_ratio)} smaller" if size_ratio >= 1 else f"{ratio(1 / size_ratio)} larger"


# ---- where and how ----


def hottest(row: ResultRow) -> str:
    """`48 to 71 °C`: hottest sensor in the first and in the hottest minute; may be empty."""
    hot = [max(each.temperatures_c.values()) for each in row.sustained if each.temperatures_c]
    return f"{hot[0]:.0f} to {max(hot):.0f} °C" if hot else ""


def environment_line(result: Result) -> str:
    """Device, preset and time in one line."""
    facts, host = result.device.facts, result.host
    known = [facts.get("model"), facts.get("cpu")]
    known.append(f"{facts['cores']} cores" if "cores" in facts else None)
    known.append(f"preset {host['preset']}" if "preset" in host else None)
    if "threads" in host:
        known.append("1 thread" if host["threads"] == 1 else f"{host['threads']} threads")
    known.append(result.created[:16].replace("T", " "))
    return ", ".join(str(each) for each in known if each)
