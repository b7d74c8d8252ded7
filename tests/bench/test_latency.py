"""The statistics of a series, the stop rules and the validity flags."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekd.bench.measure.load import OtherLoad, other_share
from edgekd.bench.measure.timing import PRESETS, Preset, find_preset, measure, warm_up
from edgekd.bench.statistics import summarise
from edgekd.bench.validity import validity_flags
from edgekd.errors import InputError

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


def test_measuring_meets_both_minimums():
    calls = []
    samples = measure(calls.append, Preset("t", runs=7, seconds=0.0, max_seconds=9))
    assert len(samples) == 7
    assert calls == list(range(7))
    start = time.perf_counter()
    samples = measure(lambda _: time.sleep(0.001), Preset("t", 2, seconds=0.05, max_seconds=9))
    assert time.perf_counter() - start >= 0.05
    assert len(samples) > 2
    assert min(samples) >= 1.0


def test_measuring_ends_at_the_maximum():
    preset = Preset("t", runs=1000, seconds=0.0, max_seconds=0.03)
    samples = measure(lambda _: time.sleep(0.01), preset)
    assert 1 <= len(samples) <= 4
    assert validity_flags(samples, preset, series="model")[0].startswith("too-few-samples: model")


def test_warm_up_meets_its_minimums_and_settles():
    assert warm_up(lambda _: None, PRESETS["smoke"]) == 3
    preset = Preset("t", 1, 0, 9, warmup_runs=5, warmup_seconds=0.0, settle_seconds=5.0)
    slow_start = [0.02] * 5 + [0.005] * 100
    runs = warm_up(lambda n: time.sleep(slow_start[n]), preset)
    assert runs > 10


@pytest.mark.parametrize(
    ("samples", "flag"),
    [
        ([1.0, 1.5] * 50, "high-variation"),
        ([1.0] * 80 + [1.08] * 20, "drift"),
        ([1.0] * 63, "too-few-samples"),
    ],
)
def test_flags(samples, flag):
    flags = validity_flags(samples, PRESETS["rapid"], series="model")
    assert [each.split(":")[0] for each in flags] == [flag]


def test_a_quiet_series_has_no_flags():
    samples = np.random.default_rng(0).normal(10, 0.2, 100)
    assert validity_flags(samples, PRESETS["rapid"], series="model", other_load=0.05) == []
    (flag,) = validity_flags(samples, PRESETS["rapid"], series="model", other_load=0.25)
    assert flag == "other-load: model, other processes took 25% of the CPU"


def test_presets():
    assert (find_preset("rapid").runs, find_preset("rapid").seconds) == (64, 6)
    assert (find_preset("quick").runs, find_preset("quick").seconds) == (128, 10)
    normal = find_preset("normal")
    assert (normal.runs, normal.seconds, normal.max_seconds) == (1024, 60, 600)
    with pytest.raises(InputError, match="slow"):
        find_preset("slow")


def test_share_of_others():
    assert other_share((0, 0), (3.0, 10.0), 1.0) == pytest.approx(0.2)
    assert other_share((0, 0), (3.0, 10.0), 4.0) == 0.0
    assert other_share((0, 0), (0.1, 0.5), 0.0) is None
    with OtherLoad() as load:
        pass
    assert load.share is None
