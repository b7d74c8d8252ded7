"""Numbers as text."""

from __future__ import annotations

from edgekd.bench.report.formats import (
    DASH,
    amount,
    count,
    estimate_text,
    joules,
    milliseconds,
    percent_interval,
    plain_number,
    ratio,
    value_text,
)
from edgekd.bench.result import Estimate


def test_numbers():
    assert percent_interval(Estimate(value=0.5)) == "50.0"
    assert percent_interval(Estimate(value=None)) == percent_interval(None) == DASH
    assert [milliseconds(x) for x in (None, 123.4, 12.34, 1.234, 0.1234)] == [
        DASH,
        "123",
        "12.3",
        "1.23",
        "0.123",
    ]
    assert [amount(x) for x in (None, 12, 2_600_000, 650_000_000)] == [
        DASH,
        "12 B",
        "2.6 MB",
        "650 MB",
    ]
    assert [count(x) for x in (None, 9, 2_230_000)] == [DASH, "9", "2.23 M"]
    assert [ratio(x) for x in (None, 34.2, 5.21, 0.5)] == [DASH, "34×", "5.2×", "0.50×"]
    assert [joules(x) for x in (None, 1.5, 0.0123)] == [DASH, "1.50 J", "12.3 mJ"]
    assert [plain_number(x) for x in (0.5, 20.0, 1500.0)] == ["0.5", "20", "1,500"]


def test_numbers_that_are_no_shares():
    error = Estimate(value=3.4215, low=-0.5, high=7.25)
    assert estimate_text(error, percentage=False) == "3.42 (-0.5 to 7.25)"
    assert value_text(1234.5, percentage=False) == "1,234"
    assert value_text(None, percentage=False) == DASH
