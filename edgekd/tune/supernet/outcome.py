"""The result of a search by a supernet: what was judged, the front, the winner's recipe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from edgekd.files import make_folder, pretty_json, write_atomically
from edgekd.models.mobile import MobileOptions, mobile_macs
from edgekd.recipe import ModelSection, Recipe
from edgekd.tune.front import Point, on_front
from edgekd.tune.outcome import RECIPES, TrialResult, TuneResult, cost_text, recipe_yaml
from edgekd.tune.supernet.evolution import Scored

__all__ = [
    "ARCH",
    "Candidate",
    "Images",
    "SupernetResult",
    "result_of_search",
    "student_of",
    "write_supernet_result",
]

ARCH = "edgekd:mobile"
RESULT, PICTURE, WINNER = "supernet.json", "supernet.svg", "winner.yaml"

Images = Literal["none", "recipe"]


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """An architecture that was judged.

    Attributes:
        number: Its number, in the order in which they were judged.
        generation: The generation that it was first part of, from 0.
        quality: Its score on held-out images, by the supernet's weights.
        loss: Its cross-entropy to the teacher's outputs for them.
        macs: Multiply-accumulates of an image.
        latency_ms: Milliseconds of an image by the table; None without a table.
        options: The options of its architecture.
        recipe: File of its recipe, in the search's folder; "" for one that is not on the front.
    """

    number: int
    generation: int
    quality: float
    loss: float
    macs: int
    latency_ms: float | None
    options: MobileOptions
    recipe: str = ""


class SupernetResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a search.

    Attributes:
        name: Name of the recipe.
        images: The images of the search: `none` for those that were made of the teacher, or those
            of the `recipe`.
        metric: Name of the score.
        cost: What is limited and drawn: `macs` or `latency`.
        limit: The most that an architecture may cost; None without a limit.
        architectures: Number of architectures in the space.
        candidates: All that were judged.
        front: Numbers of those that no other beats in score and cost, by ascending cost.
        winner: Number of the best: by score, then by its loss against the teacher.
        device: Where the table of latencies was measured; None without one.
        format_version: Version of the file's format.
    """

    name: str
    images: str
    metric: str
    cost: str
    limit: float | None
    architectures: int
    candidates: list[Candidate]
    front: list[int]
    winner: int
    device: str | None = None
    format_version: int = 1

    def cost_of(self, candidate: Candidate) -> float:
        """The cost of an architecture, in multiply-accumulates or milliseconds."""
        if self.cost == "macs":
            return float(candidate.macs)
        assert candidate.latency_ms is not None
        return candidate.latency_ms


def result_of_search(
    scored: Sequence[Scored], best: Scored, recipe: Recipe, classes: int, **fields: Any
) -> SupernetResult:
    """The result of a search that has ended.

    Args:
        scored: All that were judged, in order.
        best: The best of them.
        recipe: The recipe.
        classes: Number of outputs.
        **fields: Further fields of the result.
    """
    points = [Point(each.fitness.quality, each.cost) for each in scored]
    front = on_front(points)
    files = {number: f"{RECIPES}/{place}.yaml" for place, number in enumerate(front, 1)}
    candidates = [
        Candidate(
            number=number,
            generation=each.generation,
            quality=each.fitness.quality,
            loss=-each.fitness.agreement,
            macs=mobile_macs(each.options, classes, recipe.image_size),
            latency_ms=each.cost if fields["cost"] == "latency" else None,
            options=each.options,
            recipe=files.get(number, ""),
        )
        for number, each in enumerate(scored)
    ]
    return SupernetResult(
        name=recipe.name, candidates=candidates, front=front, winner=scored.index(best), **fields
    )


def student_of(recipe: Recipe, options: MobileOptions, name: str) -> Recipe:
    """A recipe whose student is an architecture with random weights."""
    assert recipe.student is not None  # checked before the search
    student = msgspec.structs.replace(
        recipe.student, model=ModelSection(arch=ARCH, options=options.plain), checkpoint=None
    )
    return msgspec.structs.replace(recipe, name=name, student=student)


def write_supernet_result(result: SupernetResult, recipe: Recipe, out: Path) -> list[Path]:
    """Write the result, the recipes of winner and front, and the picture; returns the files."""
    from edgekd.tune.picture import picture

    make_folder(out / RECIPES)
    files = {out / WINNER: result.candidates[result.winner]}
    files |= {
        out / result.candidates[number].recipe: result.candidates[number] for number in result.front
    }
    for stale in set((out / RECIPES).glob("*.yaml")) - set(files):
        stale.unlink()
    for file, candidate in files.items():
        named = student_of(recipe, candidate.options, f"{recipe.name}-{candidate.number}")
        write_atomically(file, f"# {_summary(result, candidate)}\n{recipe_yaml(named)}")
    write_atomically(out / RESULT, pretty_json(result))
    drawn = picture(as_trials(result))
    assert drawn is not None  # an architecture has both numbers
    write_atomically(out / PICTURE, drawn)
    return [*files, out / RESULT, out / PICTURE]


def as_trials(result: SupernetResult) -> TuneResult:
    """The architectures as trials of a search, for its picture."""
    return TuneResult(
        name=result.name, metric=result.metric, cost=result.cost, lowered=None,
        device=result.device, front=result.front, images=result.images,
        trials=[
            TrialResult(
                number=each.number, state="complete", default=False,
                values=genes_of(each.options), quality=each.quality, cost=result.cost_of(each),
            )
            for each in result.candidates
        ],
    )  # fmt: skip


def genes_of(options: MobileOptions) -> dict[str, str]:
    """What was chosen of an architecture, in short."""
    stages = options.stages
    return {
        "widths": "/".join(str(stage.width) for stage in stages),
        "kernels": "/".join("".join(f"{kernel:d}" for kernel in stage.kernels) for stage in stages),
    }


def _summary(result: SupernetResult, candidate: Candidate) -> str:
    images = "images that were made" if result.images == "none" else "validation images"
    return (
        f"Architecture {candidate.number} of `edgekd tune --search supernet`: "
        f"{result.metric.replace('_', ' ')} {candidate.quality:.3f} on {images} by the supernet's "
        f"weights, {cost_text(result.cost, result.cost_of(candidate))}. It was selected by that "
        "score; distil it and measure it on images that it has not seen."
    )
