"""Gaps between subgroups: the pair that is certain, and the level over all pairs by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta, studentized_range

from edgekd.metrics.gaps import SubgroupShare, largest_gap, range_quantile, share_of_subgroup


def shares(*counts: tuple[int, int]) -> list[SubgroupShare]:
    """Subgroups named A, B, … by (flagged, images)."""
    return [
        SubgroupShare(name, images, flagged, images)
        for name, (flagged, images) in zip("ABCDEFGH", counts, strict=False)
    ]


@pytest.mark.parametrize(("level", "k"), [(0.95, 2), (0.95, 3), (0.99, 10), (0.95 ** (1 / 24), 15)])
def test_the_range_is_the_studentised_one_of_many_degrees_of_freedom(level, k):
    assert range_quantile(level, k) == pytest.approx(studentized_range.ppf(level, k, np.inf), 1e-4)


def test_the_pair_that_is_certain_comes_before_the_widest():
    gap = largest_gap(shares((30, 100), (90, 100), (1, 1), (0, 1)))
    assert (gap.lower.name, gap.higher.name) == ("A", "B")
    assert gap.difference.value == pytest.approx(0.6)
    assert 0.35 < gap.difference.low < gap.difference.high < 0.85


def test_two_subgroups_have_the_limits_of_clopper_and_pearson():
    gap = largest_gap(shares((12, 40), (33, 40)))
    low = beta.ppf(0.975, 13, 28), beta.ppf(0.025, 33, 8)
    value = 33 / 40 - 12 / 40
    assert gap.difference.low == pytest.approx(
        value - np.hypot(33 / 40 - low[1], low[0] - 12 / 40), abs=1e-5
    )


def test_more_comparisons_make_it_wider():
    two, three = shares((12, 40), (33, 40)), shares((12, 40), (33, 40), (20, 40))
    bounds = [largest_gap(two), largest_gap(three), largest_gap(three, families=8)]
    assert bounds[0].difference.low > bounds[1].difference.low > bounds[2].difference.low
    assert len({gap.difference.value for gap in bounds}) == 1


def test_extremes_and_what_has_no_gap():
    gap = largest_gap(shares((0, 8), (8, 8)))
    assert gap.difference == (1.0, pytest.approx(1 - np.sqrt(2) * (1 - 0.025 ** (1 / 8))), 1.0)
    assert largest_gap(shares((3, 8))) is None
    assert largest_gap([]) is None
    equal = largest_gap(shares((4, 8), (4, 8)))
    assert equal.difference.value == 0.0
    assert equal.difference.low < 0.0 < equal.difference.high


def test_groups_are_the_units():
    flags = np.repeat([1, 0, 1, 1, 0, 1], 10)
    apart = share_of_subgroup("apart", flags)
    together = share_of_subgroup("together", flags, np.arange(60) // 10)
    assert (apart.size, together.size) == (60, pytest.approx(6, abs=1.5))
    assert (together.images, together.flagged, together.share) == (60, 40, pytest.approx(2 / 3))
    assert share_of_subgroup("one", flags, np.zeros(60)).size == 1.0


def error_rate(sizes, probability, *, families=1, members=1, runs=2000, seed=0):
    """How often some gap is shown although all subgroups have the same share."""
    generator, errors = np.random.default_rng(seed), 0
    for _ in range(runs):
        for _ in range(families):
            clusters = [generator.random(n // members) < probability for n in sizes]
            subgroups = [
                share_of_subgroup(
                    str(n), np.repeat(flags, members), np.repeat(np.arange(flags.size), members)
                )
                for n, flags in enumerate(clusters)
            ]
            if largest_gap(subgroups, families).difference.low > 0:
                errors += 1
                break
    return errors / runs


def test_chance_alone_shows_no_gap():
    assert error_rate([10, 30, 60, 120], 0.8, runs=60) <= 0.05


@pytest.mark.simulation
@pytest.mark.parametrize("probability", [0.5, 0.8, 0.95, 0.99])
@pytest.mark.parametrize("sizes", [[40, 60], [6, 15, 30, 120], [12] * 10])
@pytest.mark.parametrize("members", [1, 3])
def test_the_level_holds_over_all_pairs(probability, sizes, members):
    """At most one time in twenty, which 2,000 runs can be told from by three standard errors."""
    assert error_rate(sizes, probability, members=members) < 0.05


@pytest.mark.simulation
@pytest.mark.parametrize("probability", [0.6, 0.9])
def test_the_level_holds_over_families(probability):
    assert error_rate([20, 40, 80], probability, families=6, runs=1000) < 0.05


@pytest.mark.simulation
def test_it_is_not_so_careful_that_nothing_is_shown():
    """Unadjusted, five subgroups of 200 would show a gap in three runs of ten."""
    assert error_rate([200] * 5, 0.7) > 0.015
