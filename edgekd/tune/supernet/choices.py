"""The architectures of a search, and how new ones come of others.

`stages` of inverted residuals, each with a choice of widths, depths and kernels. The genes of an
architecture are the width and depth of each stage and the kernel of each block.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from random import Random
from typing import Annotated

from msgspec import Meta

from edgekd.models.mobile import Kernel, MobileOptions, StageOptions
from edgekd.recipe import Positive, Section

__all__ = ["ArchitectureChoices", "StageChoices", "crossed", "drawn", "mutated"]


class StageChoices(Section, frozen=True, kw_only=True):
    """What may be chosen of a stage.

    Attributes:
        widths: Channels that its blocks give.
        depths: Numbers of blocks.
        kernels: Sides of the depthwise kernel; each block has its own.
        stride: Stride of the first block.
        expansion: Channels inside of a block for each one that it receives.
    """

    widths: Annotated[tuple[Positive, ...], Meta(min_length=1)]
    depths: Annotated[tuple[Positive, ...], Meta(min_length=1)] = (1, 2, 3)
    kernels: Annotated[tuple[Kernel, ...], Meta(min_length=1)] = (3, 5)
    stride: Annotated[int, Meta(ge=1, le=2)] = 2
    expansion: Positive = 4

    def __post_init__(self) -> None:
        """Refuse a choice that is named twice, and kernels without a middle."""
        for name in ("widths", "depths", "kernels"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise ValueError(f"{name} {list(values)}: each is named once")
        if any(kernel % 2 == 0 for kernel in self.kernels):
            raise ValueError(f"kernels {list(self.kernels)}: each is an odd number")

    @property
    def architectures(self) -> int:
        """Number of different stages."""
        chains = [int(len(self.kernels) ** depth) for depth in self.depths]
        return len(self.widths) * sum(chains)

    def of(self, width: int, kernels: Sequence[int]) -> StageOptions:
        """A stage."""
        return StageOptions(
            width=width, kernels=tuple(kernels), stride=self.stride, expansion=self.expansion
        )


_STAGES = (
    StageChoices(widths=(8, 12, 16), depths=(1,), stride=1, expansion=1),
    StageChoices(widths=(16, 24, 32)),
    StageChoices(widths=(24, 32, 48)),
    StageChoices(widths=(48, 64, 96), depths=(1, 2, 3, 4), kernels=(3, 5, 7)),
    StageChoices(widths=(64, 96, 160), kernels=(3, 5, 7), stride=1),
)


class ArchitectureChoices(Section, frozen=True, kw_only=True):
    """The architectures of a search.

    Attributes:
        stages: The stages.
        stem: Channels of the first convolution.
        stem_stride: Its stride.
        head: Channels of the last convolution; 0 leaves it out.
    """

    stages: Annotated[tuple[StageChoices, ...], Meta(min_length=1)] = _STAGES
    stem: Positive = 16
    stem_stride: Annotated[int, Meta(ge=1, le=2)] = 2
    head: Annotated[int, Meta(ge=0)] = 320

    @property
    def architectures(self) -> int:
        """Number of different architectures."""
        number = 1
        for stage in self.stages:
            number *= stage.architectures
        return number

    @property
    def kernels(self) -> tuple[int, ...]:
        """All kernels, each once, by size."""
        return tuple(sorted(set(chain.from_iterable(stage.kernels for stage in self.stages))))

    @property
    def smallest(self) -> MobileOptions:
        """The architecture with the least of everything."""
        return self.of([each.of(min(each.widths), [min(each.kernels)] * min(each.depths))
                        for each in self.stages])  # fmt: skip

    @property
    def largest(self) -> MobileOptions:
        """The architecture with the most of everything."""
        return self.of([each.of(max(each.widths), [max(each.kernels)] * max(each.depths))
                        for each in self.stages])  # fmt: skip

    def of(self, stages: Sequence[StageOptions]) -> MobileOptions:
        """An architecture."""
        return MobileOptions(
            stages=tuple(stages), stem=self.stem, stem_stride=self.stem_stride, head=self.head
        )

    def holds(self, options: MobileOptions) -> bool:
        """Whether an architecture is one of these."""
        if len(options.stages) != len(self.stages) or self.of(options.stages) != options:
            return False
        pairs = zip(options.stages, self.stages, strict=True)
        return all(
            of.of(stage.width, stage.kernels) == stage
            and stage.width in of.widths
            and len(stage.kernels) in of.depths
            and set(stage.kernels) <= set(of.kernels)
            for stage, of in pairs
        )


def drawn(choices: ArchitectureChoices, random: Random) -> MobileOptions:
    """An architecture whose genes are drawn uniformly (Guo et al. 2020, "Single Path One-Shot")."""
    return choices.of([_drawn_stage(stage, random) for stage in choices.stages])


def mutated(
    options: MobileOptions, choices: ArchitectureChoices, probability: float, random: Random
) -> MobileOptions:
    """An architecture each of whose genes is drawn again with a probability."""
    stages = []
    for stage, of in zip(options.stages, choices.stages, strict=True):
        fresh = _drawn_stage(of, random)
        width = fresh.width if random.random() < probability else stage.width
        depth = len(fresh.kernels if random.random() < probability else stage.kernels)
        kernels = [
            random.choice(of.kernels) if random.random() < probability else kernel
            for kernel in stage.kernels[:depth]
        ]
        kernels += random.choices(of.kernels, k=depth - len(kernels))
        stages.append(of.of(width, kernels))
    return choices.of(stages)


def crossed(
    first: MobileOptions, second: MobileOptions, choices: ArchitectureChoices, random: Random
) -> MobileOptions:
    """An architecture each of whose genes is that of one parent or the other.

    The kernel of a block that one parent lacks is that of the other one.
    """
    stages = []
    for one, other, of in zip(first.stages, second.stages, choices.stages, strict=True):
        width = random.choice((one, other)).width
        depth = len(random.choice((one, other)).kernels)
        kernels = [
            random.choice([each.kernels[place] for each in (one, other)
                           if place < len(each.kernels)])
            for place in range(depth)
        ]  # fmt: skip
        stages.append(of.of(width, kernels))
    return choices.of(stages)


def _drawn_stage(stage: StageChoices, random: Random) -> StageOptions:
    width, depth = random.choice(stage.widths), random.choice(stage.depths)
    return stage.of(width, random.choices(stage.kernels, k=depth))
