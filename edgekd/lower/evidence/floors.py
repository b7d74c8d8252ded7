"""Floors: what a lowered file must reach by itself, whatever the float student reaches.

The gate compares a file with its student, and a worthless student loses nothing. Floors are
measured with the decision of the very file on the validation images.

The lower end of the 95 % interval is compared with a floor, as everywhere in the evidence: a
failure that cannot be excluded counts as one. The exception is `noticed`, of which the value is
compared. The threshold of a critical class is the order statistic that a share s of its n
validation images reaches (see `edgekd.metrics.operating`): the interval of that share contains s by
construction, and its lower end lies below s for every student, however good. For the same reason a
student that cannot recognise a class still notices it, by referring nearly everybody. `noticed`
therefore says little without `answered`, which no threshold is fitted to; a policy sets both. On
new images the expected share that is noticed is ⌈s n⌉/(n + 1), up to 1/n less than here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from edgekd.bundle.policy import FloorRecord
from edgekd.metrics.intervals import Interval
from edgekd.policy import Floors

__all__ = ["FloorMeasures", "check_floors"]

_ROUNDING = 1e-9
"""A share that equals its floor reaches it, whatever its last bit."""


@dataclass(frozen=True)
class FloorMeasures:
    """What a file reaches on the validation images; measured by its task.

    Attributes:
        balanced_accuracy: Without thresholds, with its 95 % interval; of a task that has none, the
            score that `metric` names (higher is better).
        chance: The same score of a constant answer.
        noticed: By critical class, the share of its images that the decision answers with it or
            refers. Whether a photo would have to be taken again does not matter here.
        answered: Share of the images that are answered, and need not be taken again.
        specificity: Share of the images without a critical class that are answered without one;
            its value is None where there are none.
        metric: Name of the score that is compared with chance.
    """

    balanced_accuracy: Interval
    chance: float
    noticed: Mapping[str, Interval]
    answered: Interval
    specificity: Interval
    metric: str = "balanced accuracy"


def check_floors(floors: Floors, measures: FloorMeasures) -> tuple[FloorRecord, ...]:
    """Every floor of a policy beside what a file reaches.

    A floor of zero demands nothing and has no record.
    """
    return tuple(_records(floors, measures))


def _records(floors: Floors, measures: FloorMeasures) -> Iterator[FloorRecord]:
    if floors.beyond_chance:
        yield _beyond_chance(measures)
    if floors.noticed:
        for name, share in measures.noticed.items():
            quantity = f"the share of {name} images in which {name} is answered or referred"
            yield _record("noticed", quantity, share, floors.noticed, "value")
    if floors.answered:
        quantity = "the share of images that get an answer"
        yield _record("answered", quantity, measures.answered, floors.answered, "low")
    if floors.specificity and measures.noticed:
        quantity = "the share of images without a critical class that are answered without one"
        yield _record("specificity", quantity, measures.specificity, floors.specificity, "low")


def _beyond_chance(measures: FloorMeasures) -> FloorRecord:
    interval, chance = measures.balanced_accuracy, measures.chance
    return FloorRecord(
        code="beyond-chance",
        quantity=measures.metric,
        value=interval.value,
        low=interval.low,
        high=interval.high,
        least=chance,
        by="low",
        met=interval.low is not None and interval.low > chance + _ROUNDING,
    )


def _record(
    code: str, quantity: str, share: Interval, least: float, by: Literal["value", "low"]
) -> FloorRecord:
    reached = share.value if by == "value" else share.low
    return FloorRecord(
        code=code,
        quantity=quantity,
        value=share.value,
        low=share.low,
        high=share.high,
        least=least,
        by=by,
        met=reached is not None and reached >= least - _ROUNDING,
    )
