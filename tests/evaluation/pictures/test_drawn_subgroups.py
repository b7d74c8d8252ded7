"""Shares of subgroups below one another."""

from __future__ import annotations

import re

import pytest

from edgekd.bench.report.marked_rows import Mark
from edgekd.evaluation.document import Share
from edgekd.evaluation.pictures.subgroups import SubgroupLine, subgroup_picture

A, B = Mark("A", "#009E73", "circle"), Mark("B", "#CC79A7", "circle")
HALF = Share(value=0.5, low=0.4, high=0.6, count=50, n=100)
LINES = [
    SubgroupLine("sex", "female", [(A, HALF), (B, None)]),
    SubgroupLine("sex", "male", [(A, HALF), (B, HALF)]),
    SubgroupLine("age", "20–39", [(A, HALF), (B, HALF)]),
]


def test_whiskers_and_marks_stand_at_their_shares() -> None:
    svg = subgroup_picture("Sensitivity for mel", LINES)
    room = 420 - 128 - 46
    (low, high), *_ = re.findall(r'<path d="M([\d.]+) [\d.]+L([\d.]+) [\d.]+" stroke="#009', svg)
    assert float(low) == pytest.approx(128 + 0.4 * room, abs=0.06)
    assert float(high) == pytest.approx(128 + 0.6 * room, abs=0.06)
    assert svg.count("<circle") == 5
    heights = [float(y) for y in re.findall(r'<circle cx="[\d.]+" cy="([\d.]+)"', svg)]
    assert heights == sorted(heights)


def test_a_column_is_named_once() -> None:
    svg = subgroup_picture("Sensitivity for mel", LINES)
    assert re.findall(r'class="letter">([^<]+)', svg) == ["sex", "age"]
    assert "sex female: A 50 of 100, B none; sex male: A 50 of 100, B 50 of 100;" in svg


def test_everything_lies_inside() -> None:
    svg = subgroup_picture("Sensitivity for mel", LINES * 3)
    height = float(re.findall(r'viewBox="0 0 420 ([\d.]+)"', svg)[0])
    assert max(float(y) for y in re.findall(r' c?y="([\d.]+)"', svg)) < height
