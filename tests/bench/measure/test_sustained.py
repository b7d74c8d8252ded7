"""Each minute of a sustained run."""

from __future__ import annotations

import itertools
import time

import numpy as np

from edgekd.bench.measure.sustained import sustain
from edgekd.bench.measure.timing import returned_time
from edgekd.bench.result import Minute


def test_each_minute_of_a_sustained_run_is_told_by_itself():
    calls, degrees = [], itertools.count(40)

    def call(index):
        calls.append(index)
        time.sleep(0.002)

    told = sustain(call, 3, minute_seconds=0.05, thermometer=lambda: {"cpu": float(next(degrees))})
    assert calls == list(range(sum(minute.n for minute in told)))
    assert [minute.minute for minute in told] == [1, 2, 3][: len(told)]
    assert [minute.temperatures_c["cpu"] for minute in told] == [40, 41, 42][: len(told)]
    assert all(2.0 <= minute.p50 <= minute.p90 for minute in told)


def test_a_minute_in_which_no_run_ended_is_left_out():
    told = sustain(lambda _: time.sleep(0.08), 3, minute_seconds=0.03)
    assert [minute.minute for minute in told] in ([1], [1, 3])
    assert all(minute.n == 1 for minute in told)


def test_a_minute_becomes_one_of_the_result():
    import msgspec

    (told,) = sustain(lambda _: np.sort(np.arange(1000)), 1, minute_seconds=0.02)
    minute = msgspec.convert(msgspec.to_builtins(told), Minute)
    assert (minute.minute, minute.p50, minute.n) == (1, told.p50, told.n)


def test_runs_with_a_clock_of_their_own():
    (told,) = sustain(lambda _: 7.0, 1, minute_seconds=0.01, clock=returned_time)
    assert (told.p50, told.p90) == (7.0, 7.0)
