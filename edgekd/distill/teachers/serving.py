"""How a run computes its teacher's outputs: in which precision, by a cache or in every step."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import torch
from torch import Tensor

from edgekd.data.augment import Augmentation
from edgekd.distill.samples.run_samples import RunSamples
from edgekd.distill.teachers.cached import CachedOutputs
from edgekd.distill.teachers.caching import CachePlan, make_soft_labels
from edgekd.distill.teachers.engines.engine import Engine, lower_teacher
from edgekd.distill.teachers.fixed_views import FixedViews
from edgekd.distill.teachers.from_file import FileTeachers, setup_of_file
from edgekd.distill.teachers.group import Teachers
from edgekd.distill.teachers.soft_labels import SoftLabelFacts
from edgekd.distill.teachers.teacher import (
    Teacher,
    TeacherPrecision,
    TeacherSetup,
    head_of,
)
from edgekd.errors import InputError
from edgekd.extensions.teacher_engines import TEACHER_ENGINES
from edgekd.models import pixels_of
from edgekd.models.own_size import resized
from edgekd.recipe import CacheSection, Recipe
from edgekd.runtime.preprocess import RULE

if TYPE_CHECKING:
    from edgekd.distill.methods import Method

__all__ = ["ServingPlan", "fixed_views_of", "setup_of"]

_CHECKED = 32
"""Training images on which a lowered teacher is compared with PyTorch."""


@dataclass(frozen=True)
class ServingPlan:
    """What the teachers of a run are needed for.

    Attributes:
        recipe: The recipe, with the precision of the run.
        samples: The images of the run.
        kind: The method.
        config: Its options.
        tick: Receives (images done, images in all) while a cache is made.
    """

    recipe: Recipe
    samples: RunSamples
    kind: type[Method]
    config: Any
    tick: Callable[[int, int], None] | None = None

    @property
    def pooled(self) -> bool:
        """Whether the method takes pooled vectors."""
        return self.kind.teacher_by(self.config) == "pooled"

    @property
    def device(self) -> torch.device:
        """Where this process trains."""
        if self.recipe.trainer.accelerator == "cpu" or not torch.cuda.is_available():
            return torch.device("cpu")
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def setup_of(teachers: Teachers, plan: ServingPlan, say: Callable[[str], None]) -> TeacherSetup:
    """How a method's `Teacher` computes the outputs; makes the cache if the recipe has one.

    Args:
        teachers: The teachers of the run.
        plan: What they are needed for.
        say: Receives one line of progress.
    """
    if isinstance(teachers, FileTeachers):
        return setup_of_file(teachers, plan.samples, say)
    setup = TeacherSetup(teachers.section.precision, side=teachers.side)
    if teachers.section.engine in TEACHER_ENGINES:
        setup = replace(setup, engine=_lowered(teachers, plan, say))
    if teachers.section.cache is None:
        return setup
    cache_plan = _cache_plan(teachers, teachers.section.cache, plan, setup)
    setup = replace(setup, precision=_precision(teachers, plan))
    say(f"teacher: outputs for {cache_plan.fixed.views} views in {cache_plan.folder}")

    def teacher() -> Teacher:
        network = teachers.network().requires_grad_(False)
        network.to(plan.device).to(memory_format=torch.channels_last)
        return Teacher(network, setup, head=plan.kind.learns_subclasses)

    from edgekd.distill.training.trainer import set_threads  # whose methods have teachers

    set_threads(plan.recipe.trainer)  # sums depend on it, and a file is to have the same
    labels = make_soft_labels(cache_plan, teacher, plan.device, plan.tick)
    cache = CachedOutputs(labels, len(plan.samples.targets))
    return replace(setup, fixed_views=cache_plan.fixed, cache=cache)


def _lowered(teachers: Teachers, plan: ServingPlan, say: Callable[[str], None]) -> Engine:
    """The teachers in their engine, checked on images from all over the training part."""
    if plan.device.type != "cpu":
        named = f"`teacher.engine: {teachers.section.engine}`"
        message = f"{named} runs on the CPU, and the run trains on a GPU"
        raise InputError(message, "remove it, or set `trainer.accelerator` to cpu")
    network = teachers.network().requires_grad_(False)
    forward = head_of(network) if plan.kind.learns_subclasses else network
    indices = plan.samples.split.indices("train")
    chosen = indices[:: max(len(indices) // _CHECKED, 1)][:_CHECKED]
    images = _shown(plan.samples, chosen, teachers.side)
    engine = lower_teacher(
        teachers.section.engine, network, forward, images,
        features=plan.kind.teacher_by(plan.config) != "outputs",
        precision=_engine_precision(teachers, plan), threads=plan.recipe.trainer.threads,
    )  # fmt: skip
    assert engine.parity is not None
    say(
        f"teacher: {engine.title} {engine.version} in {engine.precision}, within "
        f"{engine.parity.difference:.2g} of PyTorch over {engine.parity.images} training images"
    )
    return engine


def _engine_precision(teachers: Teachers, plan: ServingPlan) -> str:
    precision = _precision(teachers, plan)
    return "fp32" if precision == "auto" else precision


def _shown(samples: RunSamples, indices: Sequence[int], side: int) -> Tensor:
    """Pixels of images as a training step shows them to the teacher, without augmentation."""
    if side <= samples.image_size:
        return pixels_of(torch.from_numpy(np.array(samples.images[indices])))
    return resized(pixels_of(torch.from_numpy(np.array(samples.training_images[indices]))), side)


def fixed_views_of(recipe: Recipe, section: CacheSection, images: int, side: int = 0) -> FixedViews:
    """The fixed views of a recipe's data set of so many images.

    Args:
        recipe: The recipe.
        section: The views.
        images: Number of images in the data set.
        side: The largest size in pixels that a teacher sees; 0 where it is the student's.
    """
    augmentation = Augmentation(recipe.augment, max(recipe.image_size, side))
    return FixedViews(augmentation, images, section.views, section.seed)


def _precision(teachers: Teachers, plan: ServingPlan) -> TeacherPrecision:
    """The teacher's precision; `auto` is the run's."""
    precision = teachers.section.precision
    return plan.recipe.trainer.precision if precision == "auto" else precision


def _cache_plan(
    teachers: Teachers, section: CacheSection, plan: ServingPlan, setup: TeacherSetup
) -> CachePlan:
    dataset, recipe = plan.samples.split.dataset, plan.recipe
    views = {
        "number": section.views,
        "seed": section.seed,
        "augmentation": msgspec.to_builtins(recipe.augment),
    }
    if teachers.side > recipe.image_size:
        views["side"] = teachers.side
    facts = SoftLabelFacts(
        task=recipe.task,
        classes=dataset.classes,
        outputs=_outputs(plan),
        views=views,
        image_size=recipe.image_size,
        resize=RULE,
        teacher={
            **teachers.facts(),
            "precision": _precision(teachers, plan),
            "engine": _engine_and_version(setup.engine),
        },
        data={"name": dataset.name, "sha256": plan.samples.content_sha256},
    )
    fixed = fixed_views_of(recipe, section, len(plan.samples.targets), teachers.side)
    return CachePlan(plan.samples, fixed, facts, plan.pooled)


def _engine_and_version(engine: Engine | None) -> str:
    return f"{engine.name} {engine.version}" if engine else "torch"


def _outputs(plan: ServingPlan) -> tuple[str, ...]:
    """Names of the logits in their order."""
    dataset = plan.samples.split.dataset
    if not plan.kind.learns_subclasses:
        return dataset.classes
    return tuple(name for of_class in dataset.subclasses.values() for name in of_class)
