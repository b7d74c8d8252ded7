"""Architectures of a space: draws, mutations, crossings."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from small_space import SMALL

from edgekd.errors import InputError
from edgekd.models.mobile import MobileOptions
from edgekd.recipe import convert
from edgekd.tune.supernet.choices import ArchitectureChoices, crossed, drawn, mutated


def genes(options: MobileOptions) -> list[object]:
    return [gene for stage in options.stages for gene in (stage.width, stage.kernels)]


def test_the_number_of_architectures() -> None:
    assert SMALL.architectures == 2 * (2 * (2 + 4)) * (2 * (2 + 4 + 8))
    random = Random(0)
    assert len({drawn(SMALL, random) for _ in range(20_000)}) == SMALL.architectures


def test_the_extremes() -> None:
    assert [stage.width for stage in SMALL.smallest.stages] == [4, 4, 6]
    assert [stage.kernels for stage in SMALL.largest.stages] == [(3,), (5, 5), (5, 5, 5)]
    assert SMALL.holds(SMALL.smallest)
    assert SMALL.kernels == (3, 5)


def test_draws_are_uniform_and_of_the_space() -> None:
    random = Random(1)
    many = [drawn(SMALL, random) for _ in range(3000)]
    assert all(map(SMALL.holds, many))
    for counts in (
        Counter(each.stages[2].width for each in many),
        Counter(len(each.stages[2].kernels) for each in many),
        Counter(each.stages[2].kernels[0] for each in many),
    ):
        share = 3000 / len(counts)
        assert all(abs(count - share) < 150 for count in counts.values())


def test_a_mutation_draws_a_tenth_of_the_genes_again() -> None:
    random = Random(2)
    start = drawn(SMALL, random)
    mutants = [mutated(start, SMALL, 0.1, random) for _ in range(4000)]
    assert all(map(SMALL.holds, mutants))
    # A gene that is drawn again is what it was in one of two cases.
    changed = sum(each.stages[1].width != start.stages[1].width for each in mutants)
    assert changed / 4000 == pytest.approx(0.05, abs=0.015)
    assert mutated(start, SMALL, 1e-12, random) == start


def test_a_crossing_has_genes_of_its_parents_alone() -> None:
    random = Random(3)
    for _ in range(200):
        first, second = drawn(SMALL, random), drawn(SMALL, random)
        child = crossed(first, second, SMALL, random)
        assert SMALL.holds(child)
        for own, one, other in zip(child.stages, first.stages, second.stages, strict=True):
            assert own.width in (one.width, other.width)
            assert len(own.kernels) in (len(one.kernels), len(other.kernels))
            for place, kernel in enumerate(own.kernels):
                assert kernel in {
                    *one.kernels[place : place + 1],
                    *other.kernels[place : place + 1],
                }
    assert crossed(first, first, SMALL, random) == first


def test_children_are_of_both_parents() -> None:
    random = Random(4)
    children = {crossed(SMALL.smallest, SMALL.largest, SMALL, random) for _ in range(200)}
    assert len(children) > 20


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ({"widths": [4, 4]}, "named once"),
        ({"widths": [4], "kernels": [2]}, "odd"),
        ({"widths": []}, "widths"),
        ({"widths": [4], "with": 3}, "unknown"),
    ],
)
def test_wrong_choices_are_refused(stage: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        convert({"stages": [stage]}, ArchitectureChoices, "the space")


def test_another_space_does_not_hold_them() -> None:
    assert not ArchitectureChoices().holds(SMALL.smallest)
    assert ArchitectureChoices().holds(ArchitectureChoices().largest)
    assert genes(SMALL.smallest) != genes(SMALL.largest)
