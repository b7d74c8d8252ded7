from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edgekd.bundle.policy import FloorRecord
from edgekd.lower.evidence.floors import FloorMeasures, check_floors
from edgekd.metrics import Interval
from edgekd.policy import Floors

FLOORS = Floors(noticed=0.9, answered=0.5, specificity=0.4)
GOOD = FloorMeasures(
    balanced_accuracy=Interval(0.7, 0.6, 0.8),
    chance=0.2,
    noticed={"mel": Interval(0.9, 0.8, 0.95), "bcc": Interval(0.95, 0.85, 0.99)},
    answered=Interval(0.6, 0.55, 0.65),
    specificity=Interval(0.6, 0.5, 0.7),
)


def unmet(floors: Floors = FLOORS, **changed: Any) -> list[FloorRecord]:
    return [one for one in check_floors(floors, replace(GOOD, **changed)) if not one.met]


def test_each_floor_has_a_record() -> None:
    records = check_floors(FLOORS, GOOD)
    assert [one.code for one in records] == [
        "beyond-chance", "noticed", "noticed", "answered", "specificity",
    ]  # fmt: skip
    assert all(one.met for one in records)
    assert [(one.value, one.low, one.high) for one in records][1] == (0.9, 0.8, 0.95)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"balanced_accuracy": Interval(0.3, 0.2, 0.4)}, "beyond-chance"),  # chance is inside
        ({"balanced_accuracy": Interval(0.9)}, "beyond-chance"),
        ({"noticed": {"mel": Interval(0.89, 0.8, 0.95)}}, "noticed"),
        ({"noticed": {"mel": Interval(None)}}, "noticed"),  # no image of it
        ({"answered": Interval(0.52, 0.49, 0.55)}, "answered"),
        ({"specificity": Interval(0.45, 0.39, 0.5)}, "specificity"),
        ({"specificity": Interval(None)}, "specificity"),
    ],
)
def test_floor_that_is_not_reached(changed: dict[str, Any], code: str) -> None:
    (record,) = unmet(**changed)
    assert record.code == code


def test_task_without_balanced_accuracy_names_its_score() -> None:
    (record,) = unmet(balanced_accuracy=Interval(0.1, -0.2, 0.4), chance=0.0, metric="R²")
    assert record.sentence.startswith("R² is 0.100 [-0.200, 0.400]; the lower end does not exceed")


def test_share_that_equals_its_floor_reaches_it() -> None:
    assert unmet(answered=Interval(0.6, 0.5, 0.7)) == []


def test_floor_of_zero_demands_nothing() -> None:
    nothing = Interval(0.0, 0.0, 0.1)
    lost = replace(GOOD, noticed={"mel": nothing}, answered=nothing, specificity=nothing)
    assert [one.code for one in check_floors(Floors(), lost)] == ["beyond-chance"]
    assert check_floors(Floors(beyond_chance=False), lost) == ()


def test_sentences_say_which_floor_and_by_what() -> None:
    (lost,) = unmet(noticed={"mel": Interval(0.46, 0.35, 0.57)})
    assert lost.sentence == (
        "the share of mel images in which mel is answered or referred is 0.460 [0.350, 0.570]; the "
        "value does not reach 0.9"
    )
    (constant,) = unmet(balanced_accuracy=Interval(0.2, 0.2, 0.2))
    assert constant.sentence == (
        "balanced accuracy is 0.200 [0.200, 0.200]; the lower end does not exceed 0.2"
    )
    (unknown,) = unmet(noticed={"mel": Interval(None)})
    assert unknown.sentence.endswith("cannot be measured, and 0.9 is demanded")
