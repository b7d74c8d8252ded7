"""Evolution: it climbs, keeps to its limit, and can be repeated."""

from __future__ import annotations

import msgspec
import pytest
from small_space import SMALL

from edgekd.errors import InputError
from edgekd.models.mobile import MobileOptions, mobile_macs
from edgekd.recipe import convert
from edgekd.tune.supernet.choices import ArchitectureChoices
from edgekd.tune.supernet.evolution import Evolution, EvolutionSettings, Fitness, Scored

SETTINGS = EvolutionSettings(population=12, generations=6, parents=4, crossed=5, mutated=5)
LARGE = ArchitectureChoices()


def macs(options: MobileOptions) -> float:
    return float(mobile_macs(options, 5, 64))


def blocks(options: MobileOptions) -> Fitness:
    """Better with small kernels and many blocks."""
    kernels = [kernel for stage in options.stages for kernel in stage.kernels]
    return Fitness(sum(1.0 / kernel for kernel in kernels), float(-options.stages[0].width))


def test_it_finds_better_ones_than_draws() -> None:
    evolved = Evolution(LARGE, SETTINGS, macs).run(blocks)
    no_parents = msgspec.structs.replace(SETTINGS, crossed=0, mutated=0)
    random = Evolution(LARGE, no_parents, macs).run(blocks)
    assert evolved.fitness.quality > random.fitness.quality
    assert evolved.generation > 0


def test_all_keep_to_the_limit_and_none_is_judged_twice() -> None:
    limit = 3 * macs(LARGE.smallest)
    evolution = Evolution(LARGE, SETTINGS, macs, limit)
    best = evolution.run(blocks)
    assert max(each.cost for each in evolution.scored) <= limit
    assert all(each.cost == macs(each.options) for each in evolution.scored)
    assert len({each.options for each in evolution.scored}) == len(evolution.scored) == 12 * 7
    assert best == max(evolution.scored, key=lambda each: (each.fitness, -each.cost))


def test_generations_have_children_of_the_best() -> None:
    reported: list[tuple[int, Scored]] = []
    evolution = Evolution(LARGE, SETTINGS, macs)
    evolution.run(blocks, lambda *row: reported.append(row))
    assert [number for number, _ in reported] == list(range(7))
    qualities = [best.fitness.quality for _, best in reported]
    assert qualities == sorted(qualities)
    first, last = (
        [each.fitness.quality for each in evolution.scored if each.generation == number]
        for number in (0, 6)
    )
    assert sum(last) / len(last) > max(first)


def test_the_same_seed_repeats_it() -> None:
    first, again, other = (Evolution(LARGE, SETTINGS, macs, seed=seed) for seed in (1, 1, 2))
    for each in (first, again, other):
        each.run(blocks)
    assert first.scored == again.scored
    assert first.scored != other.scored


def test_of_equal_scores_the_smaller_loss_wins_then_the_cheaper() -> None:
    evolution = Evolution(SMALL, SETTINGS, macs)
    best = evolution.run(lambda options: Fitness(0.5, float(len(options.stages[2].kernels))))
    assert len(best.options.stages[2].kernels) == 3
    assert best.cost == min(
        each.cost for each in evolution.scored if len(each.options.stages[2].kernels) == 3
    )


def test_a_space_that_is_used_up_ends_the_draws() -> None:
    settings = msgspec.structs.replace(SETTINGS, population=100, generations=3)
    evolution = Evolution(SMALL, settings, macs, limit=macs(SMALL.smallest) + 1)
    assert evolution.run(blocks).options == SMALL.smallest
    assert len(evolution.scored) == 1


def test_a_limit_below_the_smallest_is_refused() -> None:
    evolution = Evolution(LARGE, SETTINGS, macs, limit=10.0)
    with pytest.raises(InputError, match=r"multiply-accumulates, more than the limit of 10$"):
        evolution.run(blocks)
    assert evolution.scored == []


def test_more_children_than_members_are_refused() -> None:
    with pytest.raises(InputError, match="more than the population"):
        convert({"population": 10, "crossed": 6, "mutated": 5}, EvolutionSettings, "evolution")
