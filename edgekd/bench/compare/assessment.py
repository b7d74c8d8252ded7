"""Whether one number is worse than an earlier one, beyond chance.

Latency is worse where the 95 % intervals do not overlap and the ratio exceeds a tolerance: the
intervals cover the scatter within a series, not the differences between processes.
A metric is worse where the whole 95 % interval of the difference lies below zero; that interval
comes from those of both numbers by MOVER (Zou, Donner 2008, "Construction of confidence limits
about effect measures: a general approach"). Amounts without an interval only have a tolerance.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from edgekd.bench.result import Estimate

__all__ = [
    "Assessment",
    "ChangeKind",
    "assess_amounts",
    "assess_estimates",
    "assess_times",
    "difference_interval",
]

ChangeKind = Literal["regression", "improvement", "same", "unknown"]


class Assessment(NamedTuple):
    """The kind of a change, and the reason in words."""

    kind: ChangeKind
    reason: str = ""


def assess_times(
    old: float,
    new: float,
    old_interval: tuple[float, float],
    new_interval: tuple[float, float],
    tolerance: float,
) -> Assessment:
    """Compare two times with their intervals; a ratio within 1 + `tolerance` is the same."""
    if old <= 0 or new <= 0:
        zero = Assessment("unknown", "a time of zero has no ratio")
        return Assessment("same") if old == new else zero
    reason = f"{new / old - 1:+.1%}"
    if new_interval[0] > old_interval[1] and new / old > 1 + tolerance:
        return Assessment("regression", f"{reason}; the intervals do not overlap")
    if new_interval[1] < old_interval[0] and old / new > 1 + tolerance:
        return Assessment("improvement", f"{reason}; the intervals do not overlap")
    return Assessment("same", reason)


def assess_estimates(old: Estimate, new: Estimate, *, percent: bool = True) -> Assessment:
    """Compare two metrics, higher is better; `percent` gives the reason in percentage points."""
    if old.value is None or new.value is None:
        return Assessment("unknown", "it has no value")
    difference = new.value - old.value
    scale, unit = (100.0, " points") if percent else (1.0, "")
    if difference == 0:
        return Assessment("same", f"+0.0{unit}")
    if None in (old.low, old.high, new.low, new.high):
        return Assessment("unknown", "too few images for an interval")
    low, high = difference_interval(old, new)
    digits = ".1f" if percent else ".3g"
    shown = [format(scale * each, f"+{digits}") for each in (difference, low, high)]
    reason = f"{shown[0]}{unit} [{shown[1]}, {shown[2]}]"
    if high < 0:
        return Assessment("regression", reason)
    return Assessment("improvement" if low > 0 else "same", reason)


def difference_interval(old: Estimate, new: Estimate) -> tuple[float, float]:
    """95 % interval of new − old from the intervals of both, by MOVER."""
    a, b = new.value or 0.0, old.value or 0.0
    low = math.hypot(a - _number(new.low), _number(old.high) - b)
    high = math.hypot(_number(new.high) - a, b - _number(old.low))
    return a - b - low, a - b + high


def _number(bound: float | None) -> float:
    if bound is None:
        raise ValueError("an interval without bounds")
    return bound


def assess_amounts(old: float | None, new: float | None, tolerance: float) -> Assessment | None:
    """Compare two amounts, lower is better; None where one of them is missing."""
    if old is None or new is None:
        return None
    if old <= 0:
        zero = Assessment("unknown", "an earlier amount of zero has no ratio")
        return Assessment("same") if new == old else zero
    reason = f"{new / old - 1:+.1%}"
    if new > (1 + tolerance) * old:
        return Assessment("regression", reason)
    return Assessment("improvement" if old > (1 + tolerance) * new else "same", reason)
