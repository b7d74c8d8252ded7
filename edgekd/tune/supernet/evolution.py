"""Evolution of architectures under a limit of their cost.

As in Guo et al. 2020, "Single Path One-Shot Neural Architecture Search with Uniform Sampling"
(ECCV; arXiv 1904.00420, algorithm 1), whose search Liu et al. 2022 take over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Annotated, NamedTuple

from msgspec import Meta

from edgekd.errors import InputError
from edgekd.models.mobile import MobileOptions
from edgekd.recipe import Positive, Section
from edgekd.tune.supernet.choices import ArchitectureChoices, crossed, drawn, mutated

__all__ = ["Evolution", "EvolutionSettings", "Fitness", "Scored"]

_ATTEMPTS = 500
"""Draws in a row that cost too much or are known, after which a generation is complete without."""

Cost = Callable[[MobileOptions], float]


class Fitness(NamedTuple):
    """How good an architecture is; higher is better, by quality first.

    Attributes:
        quality: Its score.
        agreement: Minus its loss against the teacher, which tells apart those of one score.
    """

    quality: float
    agreement: float


class EvolutionSettings(Section, frozen=True, kw_only=True):
    """The numbers of the evolution; of the paper, except for the generations, which are 20 there.

    Attributes:
        population: Architectures of a generation.
        generations: Generations after the first, which is drawn.
        parents: The best so far, of which the next generation comes.
        crossed: Architectures of a generation that have two parents.
        mutated: Architectures of a generation that have one.
        probability: Chance that a gene is drawn again in a mutation.
    """

    population: Positive = 50
    generations: Annotated[int, Meta(ge=0)] = 10
    parents: Positive = 10
    crossed: Annotated[int, Meta(ge=0)] = 25
    mutated: Annotated[int, Meta(ge=0)] = 25
    probability: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.1

    def __post_init__(self) -> None:
        """Refuse more children than a generation has."""
        if self.crossed + self.mutated > self.population:
            raise ValueError(
                f"{self.crossed} crossed and {self.mutated} mutated are more than the population, "
                f"{self.population}"
            )


class Scored(NamedTuple):
    """An architecture that was judged.

    Attributes:
        options: The architecture.
        fitness: Its fitness.
        cost: Its cost.
        generation: The generation that it was first part of, from 0.
    """

    options: MobileOptions
    fitness: Fitness
    cost: float
    generation: int


@dataclass
class Evolution:
    """A search by evolution, which draws the same architectures for the same seed and fitnesses.

    Attributes:
        choices: The architectures.
        settings: Its numbers.
        cost: The cost of an architecture.
        limit: The most that one may cost; None without a limit.
        seed: Seed of all draws.
        unit: Of cost and limit, for messages.
        scored: All architectures that were judged, in order.
    """

    choices: ArchitectureChoices
    settings: EvolutionSettings
    cost: Cost
    limit: float | None = None
    seed: int = 0
    unit: str = "multiply-accumulates"
    scored: list[Scored] = field(default_factory=list)

    def run(
        self,
        fitness: Callable[[MobileOptions], Fitness],
        report: Callable[[int, Scored], None] = lambda generation, best: None,
    ) -> Scored:
        """The best architecture of all generations.

        Args:
            fitness: How good an architecture is; called once for each.
            report: Receives the number of each generation and the best so far.

        Raises:
            InputError: No architecture is within the limit.
        """
        self.refuse_small_limit()
        random, known = Random(self.seed), set[MobileOptions]()
        for generation in range(self.settings.generations + 1):
            for options in self._members(random, known):
                self.scored.append(
                    Scored(options, fitness(options), self.cost(options), generation)
                )
            report(generation, self.best(1)[0])
        return self.best(1)[0]

    def refuse_small_limit(self) -> None:
        """Refuse a limit that even the smallest architecture exceeds.

        Raises:
            InputError: It does.
        """
        least = self.cost(self.choices.smallest)
        if self.limit is not None and least > self.limit:
            message = (
                f"the smallest network of the space costs {least:,.4g} {self.unit}, more than the "
                f"limit of {self.limit:,.4g}"
            )
            raise InputError(message, "raise the limit, or give narrower stages in --space")

    def best(self, count: int) -> list[Scored]:
        """The best of all that were judged; of equally good ones the cheapest."""
        return sorted(self.scored, key=lambda each: (each.fitness, -each.cost), reverse=True)[
            :count
        ]

    def _members(self, random: Random, known: set[MobileOptions]) -> list[MobileOptions]:
        """Architectures of the next generation, none of which was there before.

        Fewer than the population where new ones within the limit are not to be had.
        """
        settings, parents = self.settings, self.best(self.settings.parents)
        members: list[MobileOptions] = []
        if parents:
            pool = [each.options for each in parents]

            def child() -> MobileOptions:
                return crossed(random.choice(pool), random.choice(pool), self.choices, random)

            def mutant() -> MobileOptions:
                parent = random.choice(pool)
                return mutated(parent, self.choices, settings.probability, random)

            members += self._new(child, settings.crossed, known)
            members += self._new(mutant, settings.mutated, known)
        else:
            # The smallest is within every limit, so that no generation is empty.
            members += self._new(lambda: self.choices.smallest, 1, known)
        rest = settings.population - len(members)
        return members + self._new(lambda: drawn(self.choices, random), rest, known)

    def _new(
        self, make: Callable[[], MobileOptions], count: int, known: set[MobileOptions]
    ) -> list[MobileOptions]:
        """Up to `count` architectures that are not yet known and within the limit."""
        members: list[MobileOptions] = []
        misses = 0
        while len(members) < count and misses < _ATTEMPTS:
            options = make()
            misses += 1
            if options not in known and self._fits(options):
                known.add(options)
                members.append(options)
                misses = 0
        return members

    def _fits(self, options: MobileOptions) -> bool:
        return self.limit is None or self.cost(options) <= self.limit
