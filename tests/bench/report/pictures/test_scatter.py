"""Accuracy over time, and its Pareto front."""

from __future__ import annotations

import re

import msgspec
from bench_results import sample_result

from edgekd.bench.report import pictures
from edgekd.bench.report.marked_rows import marked_rows_of
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
