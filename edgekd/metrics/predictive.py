"""Predictive values of a decision at a prevalence that the user gives.

The share of diseased images of a test set is seldom that of the patients whom a device will see.
Sensitivity and false alarms are taken from the test set, the prevalence from the user, and Bayes'
rule joins them; this assumes that both are the same in those patients.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekd.errors import InputError
from edgekd.metrics.intervals import Interval, share_interval
from edgekd.metrics.resampling import Groups

__all__ = ["PredictiveValues", "predictive_values", "share_ratio"]

_Flags = NDArray[np.bool_]


class PredictiveValues(NamedTuple):
    """Predictive values of one class, each with its 95 % interval.

    Attributes:
        positive: Of images that are answered as the class, the share that show it.
        negative: Of images that are answered as something else, the share that do not show it.
    """

    positive: Interval
    negative: Interval


def predictive_values(
    named: _Flags, excluded: _Flags, shown: _Flags, prevalence: float, groups: Groups = None
) -> PredictiveValues:
    """Predictive values of a decision that may also give no answer.

    With a = P(named | shown) and b = P(named | not shown), the odds of the positive value are
    those of the prevalence times a / b; those of the negative one follow from `excluded`. Images
    that are neither named nor excluded (referred, to be taken again) count in neither value. The
    interval is that of the ratio of the two shares; see `share_ratio`.

    Args:
        named: Whether each image is answered as the class [N].
        excluded: Whether it is answered as something else [N].
        shown: Whether it shows the class [N].
        prevalence: Share of images that show the class where the device will be used.
        groups: The lesion or patient of each image, which are the independent units. One with
            images of both kinds counts in both, as if they were independent.

    Raises:
        InputError: The prevalence does not lie between 0 and 1.
    """
    if not 0.0 < prevalence < 1.0:
        message = f"a prevalence of {prevalence:g} is impossible"
        raise InputError(message, "give a share above 0 and below 1, such as 0.02")
    units = None if groups is None else np.asarray(groups)

    def share(flags: _Flags, among: _Flags) -> Interval:
        return share_interval(flags[among], None if units is None else units[among])

    odds = prevalence / (1 - prevalence)
    return PredictiveValues(
        _of_odds(odds, share_ratio(share(named, shown), share(named, ~shown))),
        _of_odds(1 / odds, share_ratio(share(excluded, ~shown), share(excluded, shown))),
    )


def share_ratio(first: Interval, second: Interval) -> Interval:
    """The ratio of two independent shares, with the interval that those of the shares imply.

    Method of variance estimates recovery for ratios, MOVER-R (Donner & Zou 2012, Stat. Methods
    Med. Res. 21:347; Newcombe 2016, ibid. 25:1774). It stays defined where a share is 0; its
    upper bound is then infinite if the second one may be 0.

    Returns:
        No value where both shares are 0 or one is unknown; no bounds where a share has none.
    """
    if first.value is None or second.value is None or first.value == second.value == 0.0:
        return Interval(None)
    value = first.value / second.value if second.value else math.inf
    bounds = (first.low, first.high, second.low, second.high)
    if any(bound is None for bound in bounds):
        return Interval(value)
    low = _bound(first.value, second.value, first.low or 0.0, second.high or 0.0)
    inverse = _bound(second.value, first.value, second.low or 0.0, first.high or 0.0)
    return Interval(value, low, 1 / inverse if inverse > 0 else math.inf)


def _bound(first: float, second: float, low: float, high: float) -> float:
    """Lower bound of first / second from the first one's lower and the second one's upper limit.

    (A − √(A² − BC)) / C, written so that it does not divide by a C near 0.
    """
    product = first * second
    below, above = low * (2 * first - low), high * (2 * second - high)
    root = math.sqrt(max(0.0, product**2 - below * above))
    return below / (product + root) if below > 0 else 0.0


def _of_odds(odds: float, ratio: Interval) -> Interval:
    """The share whose odds are `odds` times the ratio, with its bounds."""

    def share(value: float | None) -> float | None:
        if value is None:
            return None
        return 1.0 if math.isinf(value) else odds * value / (1 + odds * value)

    return Interval(share(ratio.value), share(ratio.low), share(ratio.high))
