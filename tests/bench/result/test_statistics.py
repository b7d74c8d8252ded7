"""The statistics of a series."""

from __future__ import annotations

import numpy as np
import pytest

from edgekd.bench.measure.job import RunStatistics
from edgekd.bench.result.statistics import (
    block_medians,
    block_spread,
    outliers,
    series_of_statistics,
    steadied,
    summarise,
    variation,
)
from edgekd.errors import InputError


@pytest.mark.parametrize(
    ("n", "p95", "p99"),
    [(199, False, False), (200, True, False), (999, True, False), (1000, True, True)],
)
def test_tails_need_samples(n, p95, p99):
    series = summarise(np.linspace(1, 2, n))
    assert (series.p95 is not None, series.p99 is not None) == (p95, p99)


def test_intervals_are_those_of_the_plain_bootstrap():
    generator = np.random.default_rng(0)
    samples = generator.lognormal(size=400)
    draws = samples[generator.integers(0, 400, size=(4000, 400))]
    for share, interval in (
        (50, summarise(samples).p50_interval),
        (90, summarise(samples).p90_interval),
    ):
        plain = np.percentile(draws, share, axis=1, method="inverted_cdf")
        expected = np.percentile(plain, [2.5, 97.5])
        assert interval == pytest.approx(tuple(expected), rel=0.05)


def test_no_sample_is_dropped_and_order_is_kept():
    samples = [1.0] * 50 + [500.0] + [1.0] * 49
    series = summarise(samples)
    assert series.samples == samples
    assert series.max == 500.0


@pytest.mark.parametrize("samples", [[], [float("nan")], [-1.0]])
def test_what_is_no_time_is_refused(samples):
    with pytest.raises(InputError):
        summarise(samples)


def test_images_of_several_sizes_are_no_variation():
    means = np.tile([10.0, 20.0, 30.0, 40.0], 80)
    values = means * np.random.default_rng(0).normal(1, 0.02, 320)
    assert variation(values) > 0.4
    assert variation(values, 4) == pytest.approx(0.02, rel=0.1)
    assert steadied(values, 4).std() < 0.6
    assert steadied(values, 4).mean() == pytest.approx(values.mean())


def test_two_samples_of_each_image_are_enough():
    """The means of the images use up half of what is known; the estimate is not half of it."""
    generator = np.random.default_rng(3)
    means = np.tile(generator.uniform(5, 50, 32), 2)
    found = [variation(means * generator.normal(1, 0.05, 64), 32) for _ in range(200)]
    assert np.mean(found) == pytest.approx(0.05, rel=0.05)


def test_hiccups_are_left_out_where_asked():
    values = np.random.default_rng(4).normal(2.0, 0.1, 3000)
    hiccups = values.copy()
    hiccups[::300] = 12.0
    assert variation(hiccups) > 0.25
    assert variation(hiccups, trimmed=0.01) == pytest.approx(0.05, abs=0.004)
    assert variation(hiccups[:64], trimmed=0.01) == variation(hiccups[:64])


def test_the_shortest_calls_are_taken_together():
    values = np.random.default_rng(5).normal(0.1, 0.02, 50_000)
    assert variation(values) == pytest.approx(0.2 / np.sqrt(10), rel=0.05)
    assert variation(10 * values) == pytest.approx(0.2, rel=0.05)
    # What comes and goes for longer than a millisecond is seen all the same.
    waves = np.where(np.arange(50_000) // 1000 % 2, 0.1, 0.15)
    assert variation(waves) == pytest.approx(0.2, rel=0.01)
    assert variation(np.array([1e-4, 3e-4])) > 0.5


def test_variation_of_one_image_is_the_plain_one():
    values = np.random.default_rng(1).gamma(100, 0.1, 50)
    plain = values.std(ddof=1) / values.mean()
    assert variation(values) == variation(values, 1) == pytest.approx(plain)
    # Fewer than two samples for each image: there is no error term to take.
    assert variation(values, 26) == pytest.approx(plain)
    assert variation(np.array([3.0])) == 0.0
    assert variation(np.zeros(5)) == 0.0
    assert variation(np.array([])) == 0.0


def test_a_drift_survives_when_the_differences_between_images_are_taken_out():
    drifting = np.tile([10.0, 20.0, 30.0, 40.0], 80) * np.linspace(1, 1.5, 320)
    blocks = block_medians(steadied(drifting, 4))
    assert blocks[-1] / blocks[0] == pytest.approx(1.45 / 1.05, rel=0.02)
    assert blocks == sorted(blocks)


def test_blocks_need_two_samples_each():
    assert block_medians(np.arange(9.0)) == []
    assert block_medians(np.arange(10.0)) == [0.5, 2.5, 4.5, 6.5, 8.5]


def test_the_blocks_of_a_series_are_kept_and_told():
    series = summarise([10.0] * 60 + [11.0] * 40)
    assert series.block_medians == [10.0, 10.0, 10.0, 11.0, 11.0]
    assert block_spread(series.block_medians) == pytest.approx(0.1)
    assert summarise([1.0] * 9).block_medians == []
    assert block_spread([]) is block_spread([0.0, 1.0]) is None


def test_what_differs_between_images_is_no_spread_of_the_blocks():
    samples = np.tile([1.0, 9.0], 28)[:55]  # each block of 11 begins with the other image
    assert block_spread(summarise(samples).block_medians) == pytest.approx(8.0)
    series = summarise(samples, images=2)
    assert block_spread(series.block_medians) == pytest.approx(0.0, abs=1e-9)
    assert series.samples == samples.tolist()
    assert (series.min, series.max) == (1.0, 9.0)


def test_what_a_program_tells_is_taken_and_nothing_added():
    told = series_of_statistics(
        RunStatistics(n=300, mean_ms=2.0, p50_ms=1.9, p95_ms=2.5, max_ms=9.0)
    )
    assert (told.p50, told.p95, told.mean, told.max, told.n) == (1.9, 2.5, 2.0, 9.0, 300)
    assert told.p90 is told.p99 is told.std is told.p50_interval is None
    assert told.samples == []
    assert (
        series_of_statistics(RunStatistics(n=50, p50_ms=1.9, p95_ms=2.5)).p95 is None
    )  # of too few runs
    with pytest.raises(InputError, match="no median"):
        series_of_statistics(RunStatistics(n=50, mean_ms=2.0))


def test_outliers_are_counted():
    quiet = np.random.default_rng(2).normal(10, 0.1, 1000)
    assert outliers(quiet) == 0
    assert outliers(np.concatenate([quiet, [13.0, 40.0]])) == 2
    # A clock that steps: one tick more is no outlier.
    assert outliers(np.array([1.0] * 99 + [1.05])) == 0
    assert outliers(np.array([])) == 0
