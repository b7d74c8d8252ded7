"""Percentiles by nearest rank."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekd.bench.result.statistics import (
    summarise,
)

times = st.lists(st.floats(0.001, 1e4), min_size=1, max_size=300)


@given(times)
def test_percentiles_are_nearest_rank(samples):
    series = summarise(samples)
    expected = np.percentile(samples, [50, 90], method="inverted_cdf")
    assert (series.p50, series.p90) == tuple(expected)
    assert series.min <= series.p50_interval[0] <= series.p50_interval[1] <= series.max
    assert series.p90_interval[0] <= series.p90 + 1e-12 or series.n < 20
    assert series.n == len(series.samples) == len(samples)


def test_percentiles_by_hand():
    series = summarise(range(1, 11))
    assert (series.p50, series.p90, series.mean, series.max) == (5.0, 9.0, 5.5, 10.0)
    assert series.std == pytest.approx(np.std(range(1, 11), ddof=1))
