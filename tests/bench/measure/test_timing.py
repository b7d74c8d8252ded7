"""The presets, the stop rules, and a sustained run."""

from __future__ import annotations

import time

import pytest

from edgekd.bench.measure.timing import (
    PRESETS,
    Preset,
    find_preset,
    measure,
    returned_time,
    warm_up,
)
from edgekd.errors import InputError


def test_presets():
    assert (find_preset("rapid").runs, find_preset("rapid").seconds) == (64, 6)
    assert (find_preset("quick").runs, find_preset("quick").seconds) == (128, 10)
    normal = find_preset("normal")
    assert (normal.runs, normal.seconds, normal.max_seconds) == (1024, 60, 600)
    with pytest.raises(InputError, match="slow"):
        find_preset("slow")


def test_a_sustained_run_lasts_ten_minutes_or_as_long_as_asked():
    assert find_preset("sustained").minutes == 10
    assert find_preset("sustained", 30).minutes == 30
    assert find_preset("sustained", 30).runs == find_preset("normal").runs
    for minutes in (0, 31, -1):
        with pytest.raises(InputError, match=f"{minutes} minutes"):
            find_preset("sustained", minutes)
    with pytest.raises(InputError, match="rapid lasts no minutes"):
        find_preset("rapid", 5)


def test_the_longest_time_of_a_preset_holds_both_series_and_the_minutes():
    for preset in PRESETS.values():
        assert preset.longest_seconds >= 2 * preset.max_seconds + 60 * preset.minutes
    assert find_preset("sustained", 30).longest_seconds - find_preset(
        "sustained", 10
    ).longest_seconds == pytest.approx(1200)


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


def test_warm_up_meets_its_minimums_and_settles():
    assert warm_up(lambda _: None, PRESETS["smoke"]) == 3
    preset = Preset("t", 1, 0, 9, warmup_runs=5, warmup_seconds=0.0, settle_seconds=5.0)
    slow_start = [0.02] * 5 + [0.005] * 100
    runs = warm_up(lambda n: time.sleep(slow_start[n]), preset)
    assert runs > 10


def test_a_call_with_a_clock_of_its_own_is_believed():
    preset = Preset("t", 5, 0, 9, warmup_runs=2, warmup_seconds=0.0, settle_seconds=0.0)
    assert measure(lambda n: 100.0 + n, preset, clock=returned_time) == [100, 101, 102, 103, 104]
    assert warm_up(lambda n: 1.0, preset, clock=returned_time) == 2
