"""Bars of memory, size, energy and decisions."""

from __future__ import annotations

import re

import msgspec
import pytest
from bench_results import full_result, sample_result

from edgekd.bench.report import pictures
from edgekd.bench.report.marked_rows import marked_rows_of
from edgekd.bench.task import MetricColumn

BALANCED = MetricColumn("balanced_accuracy", "Balanced accuracy", "Bal. acc.")


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
