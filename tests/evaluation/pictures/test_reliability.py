"""The reliability diagram from known bins."""

from __future__ import annotations

import re

import pytest

from edgekd.bench.report.marked_rows import Mark
from edgekd.evaluation.pictures import reliability_picture
from edgekd.metrics.curves import ReliabilityBin

MARK = Mark("A", "#009E73", "circle")
AFTER = [ReliabilityBin(0.5, 0.4, 10), ReliabilityBin(0.9, 0.9, 90)]
BEFORE = [ReliabilityBin(0.95, 0.85, 100)]


def test_bins_stand_at_their_confidence_and_their_share() -> None:
    svg = reliability_picture(MARK, AFTER)
    circles = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="([\d.]+)"', svg)
    (x, y, small), (_, _, large) = [tuple(map(float, each)) for each in circles]
    assert (x, y) == (
        pytest.approx(34 + 0.5 * (340 - 12 - 34), abs=0.06),
        pytest.approx(278 - 0.4 * (278 - 24), abs=0.06),
    )
    assert small < large
    assert 'stroke-dasharray="5 4"' not in svg


def test_before_calibration_is_hollow_and_dashed() -> None:
    svg = reliability_picture(MARK, AFTER, BEFORE)
    assert 'stroke-dasharray="5 4"' in svg
    assert svg.count('fill="var(--paper)"') == 1
    assert "calibrated: 40 % right at 50 %, 90 % right at 90 %; before calibration: 85 %" in svg


def test_no_images() -> None:
    assert "calibrated: no images." in reliability_picture(MARK, [])
