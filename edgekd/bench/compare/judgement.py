"""When a number is worse than another one, beyond chance.

Latency is worse where the 95 % intervals do not overlap and the ratio exceeds a tolerance: the
intervals know how runs scatter within a series, not how one process differs from the next one.
A share of images is worse where the whole 95 % interval of the difference lies below zero; it comes
from the intervals of both by MOVER (Zou, Donner 2008, "Construction of confidence limits about
effect measures: a general approach"). Amounts without an interval have a tolerance alone.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from edgekd.bench.result import Estimate

__all__ = ["Assessment", "Verdict", "difference_interval", "less", "more", "slower"]

Verdict = Literal["regression", "improvement", "same", "unknown"]


class Assessment(NamedTuple):
    """What came of two numbers, and why."""

    verdict: Verdict
    words: str = ""


def slower(
    old: float,
    new: float,
    old_interval: tuple[float, float],
    new_interval: tuple[float, float],
    tolerance: float,
) -> Assessment:
    """Two times with their intervals."""
    if old <= 0 or new <= 0:
        return (
            Assessment("same")
            if old == new
            else Assessment("unknown", "a time of zero has no ratio")
        )
    words = f"{new / old - 1:+.1%}"
    if new_interval[0] > old_interval[1] and new / old > 1 + tolerance:
        return Assessment("regression", f"{words}; the intervals do not overlap")
    if new_interval[1] < old_interval[0] and old / new > 1 + tolerance:
        return Assessment("improvement", f"{words}; the intervals do not overlap")
    return Assessment("same", words)


def less(old: Estimate, new: Estimate) -> Assessment:
    """Two shares of which more is better."""
    if old.value is None or new.value is None:
        return Assessment("unknown", "it has no value")
    difference = new.value - old.value
    if difference == 0:
        return Assessment("same", "+0.0 points")
    if None in (old.low, old.high, new.low, new.high):
        return Assessment("unknown", "too few images for an interval")
    low, high = difference_interval(old, new)
    words = f"{100 * difference:+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}]"
    if high < 0:
        return Assessment("regression", words)
    return Assessment("improvement" if low > 0 else "same", words)


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


def more(old: float | None, new: float | None, tolerance: float) -> Assessment | None:
    """Two amounts of which less is better; None where one is missing."""
    if old is None or new is None:
        return None
    if old <= 0:
        return (
            Assessment("same")
            if new == old
            else Assessment("unknown", "nothing before has no ratio")
        )
    words = f"{new / old - 1:+.1%}"
    if new > (1 + tolerance) * old:
        return Assessment("regression", words)
    return Assessment("improvement" if old > (1 + tolerance) * new else "same", words)
