"""Scales, ticks and bounds of pictures."""

from __future__ import annotations

import pytest

from edgekd.bench.report.pictures.svg import Scale, padded


def test_scales_reach_from_end_to_end():
    assert Scale(0, 10, 40, 140)(5) == 90
    assert Scale(1, 100, 0, 100, log=True)(10) == pytest.approx(50)


@pytest.mark.parametrize("low, high", [(0.1, 0.2), (1.19, 1.21), (3, 47), (0.5, 900), (2e-3, 5e5)])
@pytest.mark.parametrize("log", [True, False])
def test_ticks_are_few_round_and_inside(low, high, log):
    ticks = Scale(low, high, 0, 100, log=log).ticks(6)
    assert 2 <= len(ticks) <= 7
    assert ticks == sorted(set(ticks))
    assert all(low <= tick <= high * (1 + 1e-9) for tick in ticks)


def test_bounds_are_never_empty():
    for log in (True, False):
        low, high = padded([3.0, 3.0], log=log)
        assert low < 3 < high
