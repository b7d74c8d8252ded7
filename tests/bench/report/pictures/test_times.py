"""Distributions of times, in which no sample is left out."""

from __future__ import annotations

import re

import msgspec
import numpy as np
from bench_results import full_result, sample_result

from edgekd.bench.report import pictures
from edgekd.bench.report.marked_rows import marked_rows_of
from edgekd.bench.result.statistics import summarise


def circles(svg):
    return [
        tuple(map(float, each)) for each in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', svg)
    ]


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
