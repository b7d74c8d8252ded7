"""Coverage against error from known points."""

from __future__ import annotations

import re

import numpy as np
import pytest

from edgekd.bench.report.marked_rows import Mark
from edgekd.evaluation.pictures import DrawnCurve, OperatingMark, coverage_picture
from edgekd.metrics.curves import Curve


def test_the_scale_ends_above_the_largest_error_that_is_drawn() -> None:
    points = Curve(np.array([0.01, 0.5, 1.0]), np.array([1.0, 0.05, 0.2]), np.zeros(3))
    mark = OperatingMark(0.5, 0.1, "whole decision")
    svg = coverage_picture([DrawnCurve(Mark("A", "#009E73", "circle"), "rpi", points, [mark])])
    (path,) = re.findall(r'<path d="M([^"]*)" stroke="#009E73"', svg)
    assert len(path.split("L")) == 2  # the first point is of one image in a hundred
    top, bottom, highest = 24, 260 - 42, 1.08 * 20
    (cx, cy) = map(float, re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', svg)[0])
    assert cx == pytest.approx(34 + 0.5 * (360 - 12 - 34), abs=0.06)
    assert cy == pytest.approx(bottom - 10 / highest * (bottom - top), abs=0.06)
    assert "rpi: whole decision 50.0 % answered, 10.0 % of them wrong." in svg


def test_without_models() -> None:
    assert coverage_picture([]).startswith("<svg")
