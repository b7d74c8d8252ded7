"""ROC and precision-recall pictures from known points."""

from __future__ import annotations

import re

import numpy as np
import pytest

from edgekd.bench.report.marked_rows import Mark
from edgekd.evaluation.pictures import (
    DrawnCurve,
    OperatingMark,
    precision_recall_picture,
    roc_picture,
)
from edgekd.evaluation.pictures.curves import thinned
from edgekd.metrics.curves import Curve

MARK = Mark("A", "#009E73", "circle")


def curve(x: list[float], y: list[float]) -> DrawnCurve:
    points = Curve(np.array(x), np.array(y), np.zeros(len(x)))
    mark = OperatingMark(0.25, 0.75, "cannot be excluded from 0.1", hollow=True)
    return DrawnCurve(MARK, "rpi int8", points, [mark])


def place(x: float, y: float) -> tuple[float, float]:
    """Position of two shares, by the frame of the picture."""
    return 34 + x * (340 - 12 - 34), (320 - 42) - y * (320 - 42 - 24)


def test_a_roc_curve_stands_where_its_points_are() -> None:
    svg = roc_picture("mel", [curve([0, 0, 0.5, 1], [0, 0.5, 1, 1])])
    (path,) = re.findall(r'<path d="M([^"]*)" stroke="#009E73"', svg)
    points = [tuple(map(float, point.split())) for point in path.split("L")]
    expected = [place(0, 0), place(0, 0.5), place(0.5, 1), place(1, 1)]
    assert points == [pytest.approx(each, abs=0.06) for each in expected]
    x, y = map(float, re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', svg)[0])
    assert (x, y) == pytest.approx(place(0.25, 0.75), abs=0.06)
    assert "rpi int8: cannot be excluded from 0.1 at 25.0 % and 75.0 %." in svg


def test_precision_falls_in_steps() -> None:
    svg = precision_recall_picture("mel", [curve([0.5, 1.0], [1.0, 0.5])], share=0.2)
    (path,) = re.findall(r'<path d="M([^"]*)" stroke="#009E73"', svg)
    points = [tuple(map(float, point.split())) for point in path.split("L")]
    steps = [place(0.5, 1), place(0.5, 1), place(1, 1), place(1, 0.5)]
    assert points == [pytest.approx(each, abs=0.06) for each in steps]
    height = f"{place(0, 0.2)[1]:.1f}"
    assert re.search(rf'd="M[\d.]+ {height}L[\d.]+ {height}" class="ink"', svg)


def test_no_curve_leaves_empty_axes() -> None:
    assert "sensitivity, %" in roc_picture("mel", [])
    assert "<circle" not in precision_recall_picture("mel", [], share=0.1)


def test_long_curves_are_thinned() -> None:
    assert thinned(5, 250) == [0, 1, 2, 3, 4]
    chosen = thinned(10_000, 250)
    assert len(chosen) == 250
    assert (chosen[0], chosen[-1]) == (0, 9_999)
