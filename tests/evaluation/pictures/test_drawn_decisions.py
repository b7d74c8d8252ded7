"""Stacked bars: as long as their shares, and told apart without colours."""

from __future__ import annotations

import re

import pytest

from edgekd.evaluation.document import ClassOutcome, Share
from edgekd.evaluation.pictures.decisions import decisions_picture


def outcome(right: int, wrong: int, referred: int, retaken: int) -> ClassOutcome:
    n = right + wrong + referred + retaken
    shares = [Share(value=count / n, count=count, n=n) for count in (right, wrong, referred)]
    again = Share(value=retaken / n, count=retaken, n=n)
    return ClassOutcome(
        images=n, groups=None, answered_right=shares[0], answered_wrong=shares[1],
        referred=shares[2], retaken=again,
    )  # fmt: skip


def test_parts_are_as_long_as_their_shares() -> None:
    svg = decisions_picture({"mel": outcome(50, 25, 20, 5), "nv": outcome(10, 0, 0, 0)})
    bars = re.findall(r'<rect x="([\d.]+)" [^>]*width="([\d.]+)"[^>]*class="share (\w+)"', svg)
    room = 400 - 92 - 44
    widths = [(kind, float(width) / room) for _, width, kind in bars]
    assert widths == [
        ("answered", pytest.approx(0.5, abs=1e-3)),
        ("missed", pytest.approx(0.25, abs=1e-3)),
        ("referred", pytest.approx(0.2, abs=1e-3)),
        ("retaken", pytest.approx(0.05, abs=1e-2)),
        ("answered", pytest.approx(1.0, abs=1e-3)),
    ]
    assert float(bars[1][0]) == pytest.approx(92 + room / 2, abs=0.1)
    words = "mel: 50 answered right, 25 answered as something else, 20 referred, 5 to be taken"
    assert words in svg


def test_referred_and_missed_have_patterns() -> None:
    for part in range(4):
        counts = [0, 0, 0, 0]
        counts[part] = 10
        svg = decisions_picture({"mel": outcome(*counts)})
        stripes = re.findall(r'<path d="M([\d.]+) [\d.]+L([\d.]+) [\d.]+" class="stripe"', svg)
        assert bool(stripes) == (part in (1, 2))
        assert all((begin != end) == (part == 1) for begin, end in stripes)
