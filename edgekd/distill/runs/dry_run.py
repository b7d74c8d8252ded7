"""A run before it begins: a few steps of each stage, and the time and memory to expect.

Nothing is written: images are decoded as they are drawn, a teacher that is to be trained teaches
with the weights that it begins with, and no weights are kept.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, cast

import msgspec
import torch

from edgekd.data import Split
from edgekd.data.decoded.on_demand import ImagesOnDemand
from edgekd.data.unlabelled import unlabelled_images
from edgekd.distill.methods import Method, Stage, resolve_method
from edgekd.distill.runs.pipeline import (
    check_machine,
    check_networks,
    distillation_plans,
    training_plan,
)
from edgekd.distill.runs.record import Role
from edgekd.distill.runs.request import RunRequest
from edgekd.distill.runs.roles import models_of
from edgekd.distill.runs.trial import Planned, method_of
from edgekd.distill.samples.run_samples import RunSamples, load_split
from edgekd.distill.teachers.sides import crop_side
from edgekd.distill.training.first_steps import StageTimes, time_stage
from edgekd.distill.training.int8_grid import Int8Grid, stage_on_grid
from edgekd.distill.training.module import StageModule
from edgekd.distill.training.precision import unmeasured_precision
from edgekd.metrics.task import metrics_task
from edgekd.models import NormalisedNetwork
from edgekd.recipe import FitSection, Recipe

__all__ = ["DryRun", "ExpectedStage", "dry_run"]

_RANGE_IMAGES = 8
"""Images that the ranges of an int8 finish are observed on; a run takes more."""


class ExpectedStage(msgspec.Struct, frozen=True, kw_only=True):
    """One stage of a run.

    Attributes:
        name: The network that is trained, and the stage.
        epochs: Epochs, at most.
        steps: Steps of an epoch.
        batch_size: Images of a batch, on each device.
        step_s: Seconds of a step with images of full size.
        expected_s: Seconds of the whole stage.
    """

    name: str
    epochs: int
    steps: int
    batch_size: int
    step_s: float
    expected_s: float

    def text(self) -> str:
        """The stage as a line for people."""
        return (
            f"{self.name}: {self.epochs} epochs of {self.steps} steps of {self.batch_size} images, "
            f"{self.step_s:.2f} s a step: {_duration(self.expected_s)}"
        )


class DryRun(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is expected to take on this machine, as busy as it was.

    Attributes:
        stages: Its stages, in their order.
        decoding_s: Seconds to decode all images, once.
        decoded_bytes: Size of the decoded images in the cache.
        memory_bytes: Most memory of this process.
        gpu_bytes: Most memory of the GPU; None on a CPU.
        precision: The precision of the steps.
        notes: Sentences on what a run does otherwise.
    """

    stages: tuple[ExpectedStage, ...]
    decoding_s: float
    decoded_bytes: int
    memory_bytes: int
    gpu_bytes: int | None
    precision: str
    notes: tuple[str, ...] = ()

    def text(self) -> str:
        """The expectation as lines for people."""
        total = sum(stage.expected_s for stage in self.stages)
        memory = f"{self.memory_bytes / 1e9:.1f} GB of memory"
        if self.gpu_bytes is not None:
            memory += f", {self.gpu_bytes / 1e9:.1f} GB of the GPU's"
        return "\n".join([
            *(stage.text() for stage in self.stages),
            f"decoding, unless the cache has the images: {_duration(self.decoding_s)}, "
            f"{self.decoded_bytes / 1e9:.2f} GB on disk",
            f"expected: {_duration(total)} in {self.precision}, {memory}",
            *(f"note: {note}" for note in self.notes),
            "nothing was written",
        ])  # fmt: skip


def dry_run(request: RunRequest, role: Role | None = None) -> DryRun:
    """Take the first steps of every stage of a run.

    Args:
        request: The run; its folder is not touched.
        role: The role that is trained alone; None for a distillation.

    Raises:
        InputError: The recipe cannot be trained; see `distill` and `train`.
    """
    recipe = request.recipe
    check_machine(recipe)
    split = load_split(recipe, request.say)
    plans = _plans(recipe, role, split)
    samples, images = _samples(recipe, split)
    stages = [stage for plan in plans for stage in _stages(plan, samples)]
    device = next((each for each in images if each.decoded), images[0])
    per_image = device.seconds / max(device.decoded, 1)
    return DryRun(
        stages=tuple(stages),
        decoding_s=per_image * len(split.parts),
        decoded_bytes=sum(int(torch.Size(each.shape).numel()) for each in images),
        memory_bytes=_peak_bytes(),
        gpu_bytes=torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None,
        precision=_precision(recipe),
        notes=tuple(_notes(recipe)),
    )


def _plans(recipe: Recipe, role: Role | None, split: Split) -> list[Planned]:
    """The trainings of a run, once all of them were checked."""
    if role is not None:
        plans = [training_plan(recipe, role, split)]
        networks = [plans[0].model]
    else:
        kind, _ = resolve_method(recipe.method, recipe.task)
        networks = models_of(recipe, with_teacher=kind.needs_teacher)
        plans = list(distillation_plans(recipe, split))
    check_networks(recipe, split, networks, plans)
    return plans


def _samples(recipe: Recipe, split: Split) -> tuple[RunSamples, list[ImagesOnDemand]]:
    """The images of the run, each decoded when it is taken."""
    size, paths = recipe.image_size, split.dataset.paths()
    most = recipe.augment.decoded_size(crop_side(recipe))
    sizes = dict.fromkeys((most, size))
    by_size = {each: ImagesOnDemand(paths, each) for each in sizes}
    larger = by_size[most]
    pool = unlabelled_images(recipe.data, split)
    unlabelled = ImagesOnDemand(pool.paths(), most) if pool else None
    samples = RunSamples(
        split,
        cast("Any", by_size[size]),
        split.dataset.targets(),
        enlarged=cast("Any", larger) if len(sizes) > 1 else None,
        unlabelled=cast("Any", unlabelled),
    )
    return samples, list(by_size.values())


def _stages(plan: Planned, samples: RunSamples) -> Iterator[ExpectedStage]:
    method = method_of(plan, samples)
    if method is None:  # its teacher is refused, by name, when the run reads it
        return
    method.to(memory_format=torch.channels_last)
    for number, stage in enumerate(_stages_of(plan, method, samples)):
        yield _expected(plan, method, stage, number, samples)


def _stages_of(plan: Planned, method: Method, samples: RunSamples) -> Iterator[Stage]:
    """The method's stages, and that of an int8 finish."""
    stages = method.stages()
    yield from stages
    finish = plan.recipe.finish
    if finish is not None and plan.role == "student":
        assert isinstance(method.student, NormalisedNetwork)
        chosen = samples.split.indices("train")[:_RANGE_IMAGES]
        grid = Int8Grid(method.student, samples.images[chosen])
        method.int8_grid = grid
        yield stage_on_grid(method, stages[-1], grid, finish)


def _expected(
    plan: Planned, method: Method, stage: Stage, number: int, samples: RunSamples
) -> ExpectedStage:
    recipe, fit = plan.recipe, stage.fit or plan.section.fit
    module = _FullSize(
        method, stage, samples, metrics_task(recipe.task), fit, recipe.augment,
        recipe.seed + number,
    )  # fmt: skip
    times = time_stage(module, recipe.trainer)
    processes = recipe.trainer.devices * recipe.trainer.nodes
    images = len(samples.split.indices("train"))
    return ExpectedStage(
        name=f"{plan.role}, {stage.name}",
        epochs=fit.epochs,
        steps=max(times.steps // processes, 1),
        batch_size=stage.samples.batch_size(fit, images, processes),
        step_s=round(times.step, 4),
        expected_s=round(_seconds(times, fit, recipe.image_size) / processes, 1),
    )


class _FullSize(StageModule):
    """A stage whose first epoch has images of full size, which take most time and memory."""

    def _training_side(self) -> int:
        return self.method.context.image_size


def _seconds(times: StageTimes, fit: FitSection, size: int) -> float:
    areas = [(fit.training_side(epoch, size) / size) ** 2 for epoch in range(fit.epochs)]
    return sum(times.epoch(area) for area in areas)


def _precision(recipe: Recipe) -> str:
    named = recipe.trainer.precision
    return named if named != "auto" else unmeasured_precision(recipe.trainer)


def _notes(recipe: Recipe) -> list[str]:
    trainer, teacher = recipe.trainer, recipe.teacher
    notes = []
    if trainer.precision == "auto":
        notes.append("the run measures which precision is quicker when it begins")
    if trainer.devices * trainer.nodes > 1:
        notes.append("measured on one device; the time is divided by their number")
    if teacher is not None and teacher.logits is not None:
        notes.append("the student was not timed: the run alone reads `teacher.logits`")
    if teacher is not None and (teacher.cache is not None or teacher.engine != "torch"):
        notes.append("the teacher was run by PyTorch, without its cache or engine")
    return notes


def _peak_bytes() -> int:
    """Most memory that this process has had; 0 where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
