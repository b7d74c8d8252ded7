"""The pictures: scales, ticks, fronts, and samples of which none is left out."""

from __future__ import annotations

import re

import msgspec
import numpy as np
import pytest
from bench_results import full_result, sample_result

from edgekd.bench.report import pictures
from edgekd.bench.report.marked_rows import marked_rows_of
from edgekd.bench.report.pictures.svg import Scale, padded
from edgekd.bench.result.statistics import summarise
from edgekd.bench.task import MetricColumn

BALANCED = MetricColumn("balanced_accuracy", "Balanced accuracy", "Bal. acc.")
NUMBER = re.compile(r"-?\d+\.?\d*")


def circles(svg):
    return [
        tuple(map(float, each)) for each in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', svg)
    ]


def test_pareto_front():
    assert pictures.pareto([(1, 1), (2, 3), (3, 2), (2, 2), (4, 4)]) == [(1, 1), (2, 3), (4, 4)]
    assert pictures.pareto([]) == []


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


def test_points_stand_where_their_numbers_are():
    entries = marked_rows_of([sample_result()])
    svg = pictures.accuracy_latency(entries, BALANCED)
    (fast_x, fast_y), *_ = circles(svg)
    p90 = [entry.latency.model.p90 for entry in entries if entry.latency]
    assert min(p90) < entries[2].latency.model.p90
    assert re.search(r"A cpu fp32: 2\.\d+ ms, 81\.7", svg)
    # The flagged artefact is hollow and faster: drawn to the left, and no part of the front.
    hollow = re.search(r'<circle cx="([\d.]+)" cy="[\d.]+" r="[\d.]+" fill="var\(--paper\)"', svg)
    assert float(hollow.group(1)) < fast_x
    front = re.search(r'<path d="([^"]+)" class="ink front"', svg).group(1)
    numbers = list(map(float, NUMBER.findall(front)))
    assert numbers[:2] == [fast_x, fast_y]


def test_the_teacher_is_a_line_even_where_its_speed_is_not_known():
    result = sample_result()
    rows = [msgspec.structs.replace(result.rows[0], latency_ms=None), *result.rows[1:]]
    svg = pictures.accuracy_latency(
        marked_rows_of([msgspec.structs.replace(result, rows=rows)]), BALANCED
    )
    assert 'stroke-dasharray="1 4"' in svg


def test_histogram_holds_every_sample():
    result = sample_result()
    tail = np.concatenate([np.full(997, 2.0) + np.linspace(0, 0.1, 997), [40.0, 50.0, 60.0]])
    latency = msgspec.structs.replace(result.rows[2].latency_ms, model=summarise(tail))
    row = msgspec.structs.replace(result.rows[2], latency_ms=latency)
    (entry,) = marked_rows_of([msgspec.structs.replace(result, rows=[row])])
    svg = pictures.histograms(entry)
    assert "3 slower, up to 60.0" in svg
    assert "1000 runs from 2.00 to 60.0 ms" in svg


def test_constant_times_can_be_drawn():
    result = sample_result()
    latency = msgspec.structs.replace(
        result.rows[2].latency_ms, model=summarise([2.0] * 64), end_to_end=summarise([0.0] * 64)
    )
    row = msgspec.structs.replace(result.rows[2], latency_ms=latency)
    (entry,) = marked_rows_of([msgspec.structs.replace(result, rows=[row])])
    assert "nan" not in pictures.histograms(entry)


def test_one_thread_count_and_one_minute_can_be_drawn():
    row = full_result().rows[2]
    row = msgspec.structs.replace(row, sweep=row.sweep[:1], sustained=row.sustained[:1])
    entries = marked_rows_of([msgspec.structs.replace(full_result(), rows=[row])])
    for svg in (pictures.thread_sweep(entries), pictures.sustained(entries)):
        assert len(circles(svg)) == 1
        assert "nan" not in svg


def test_bars_are_as_long_as_their_numbers():
    svg = pictures.memory(marked_rows_of([sample_result()]))
    widths = [float(each) for each in re.findall(r'<rect [^>]*width="([\d.]+)"', svg)]
    assert widths[1] / widths[0] == pytest.approx(480 / 620, rel=1e-2)


def test_nothing_measured_is_no_picture():
    rows = [
        msgspec.structs.replace(row, latency_ms=None, memory=None, metrics=None, size_bytes=None)
        for row in sample_result().rows
    ]
    entries = marked_rows_of([msgspec.structs.replace(sample_result(), rows=rows)])
    assert pictures.accuracy_latency(entries, BALANCED) is None
    assert pictures.class_pictures(entries) == []
    for draw in (pictures.memory, pictures.sizes, pictures.energy, pictures.decisions):
        assert draw(entries) is None
    assert pictures.thread_sweep(entries) is pictures.sustained(entries) is None
    assert pictures.histograms(entries[0]) is None


def test_shares_are_told_apart_without_colours():
    svg = pictures.decisions(marked_rows_of([full_result()]))
    assert 'class="stripe"' in svg
    assert "referred 16.0 %" in svg
