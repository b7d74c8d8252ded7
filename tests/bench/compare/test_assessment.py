"""When one number is worse than another one, beyond chance."""

from __future__ import annotations

import numpy as np
import pytest

from edgekd.bench.compare.assessment import (
    assess_amounts,
    assess_estimates,
    assess_times,
    difference_interval,
)
from edgekd.bench.compare.teacher import comparison_of
from edgekd.bench.result import (
    DataFacts,
    DeviceFacts,
    Estimate,
    Result,
    ResultRow,
)
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.metrics.task import metrics_task

CLASSES = ("mel", "bcc", "nv", "df")
IMAGES = 400


def compare(teacher, row, targets):
    task = metrics_task(DEFAULT_TASK)
    return comparison_of(task.difference(teacher, row, targets, CLASSES))


def result(*rows: ResultRow, device: str = "rpi", data: str = "d" * 64, **facts) -> Result:
    return Result(
        created="2026-11-22T21:00:00+00:00",
        command="edgekd bench",
        device=DeviceFacts(name=device, kind="ssh", facts={"model": "Raspberry Pi 5"} | facts),
        data=DataFacts(name="tiny", split="test", n=IMAGES, sha256=data, classes=list(CLASSES)),
        rows=list(rows),
    )


def test_the_interval_of_a_difference_by_hand():
    old, new = Estimate(value=0.80, low=0.76, high=0.83), Estimate(value=0.70, low=0.67, high=0.72)
    low, high = difference_interval(old, new)
    assert low == pytest.approx(-0.10 - np.hypot(0.03, 0.03))
    assert high == pytest.approx(-0.10 + np.hypot(0.02, 0.04))
    assert assess_estimates(old, new).kind == "regression"
    assert assess_estimates(new, old).kind == "improvement"


def test_the_interval_of_a_difference_covers_it():
    """Newcombe's by MOVER from Wilson's: at least 93 in 100 of intervals hold the truth."""
    from edgekd.metrics import wilson

    generator, held = np.random.default_rng(0), 0
    for _ in range(2000):
        counts = generator.binomial(120, [0.8, 0.7])
        old, new = (wilson(int(count), 120) for count in counts)
        old, new = (
            Estimate(value=count / 120, low=one.low, high=one.high)
            for count, one in zip(counts, (old, new), strict=True)
        )
        low, high = difference_interval(old, new)
        held += low <= -0.1 <= high
    assert 0.93 < held / 2000 < 0.97


def test_too_few_images_have_no_verdict_unless_nothing_changed():
    alone = Estimate(value=0.5)
    assert assess_estimates(alone, alone).kind == "same"
    assert assess_estimates(alone, Estimate(value=0.4)).kind == "unknown"
    assert assess_estimates(Estimate(value=None), alone).kind == "unknown"


def test_amounts_and_times_of_nothing():
    assert assess_amounts(None, 1, 0.1) is None
    assert assess_amounts(0, 0, 0.1).kind == "same"
    assert assess_amounts(0, 1, 0.1).kind == "unknown"
    assert assess_times(0.0, 1.0, (0, 0), (1, 1), 0.05).kind == "unknown"
    assert assess_times(0.0, 0.0, (0, 0), (0, 0), 0.05).kind == "same"
