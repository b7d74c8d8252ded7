"""Whether a training can begin at all: its method is made once, before anyone waits for another.

What a recipe asks for is refused before its images are decoded and its teacher is trained.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from edgekd.data import Split
from edgekd.distill.losses import class_weights
from edgekd.distill.losses.cross_entropy import Balance
from edgekd.distill.methods import Method, MethodContext, resolve_method
from edgekd.distill.methods.base import Subclasses
from edgekd.distill.module import refuse_batches_of
from edgekd.distill.samples import RunSamples
from edgekd.errors import InputError
from edgekd.models import NormalisedNetwork, build_network, unreached_parameters
from edgekd.recipe import ModelSection, Recipe, RoleSection

__all__ = ["Planned", "check_training", "context_of", "refuse_undivided"]


@dataclass(frozen=True)
class Planned:
    """A training that is to come.

    Attributes:
        recipe: Of the whole run.
        section: The recipe's section of what is trained.
        model: Its network.
        method: The method, with its options.
        teacher: The teacher's network; None without one, or with one that is not known yet.
    """

    recipe: Recipe
    section: RoleSection
    model: ModelSection
    method: dict[str, Any]
    teacher: ModelSection | None = None


def check_training(planned: Planned, split: Split) -> None:
    """Make networks and method once, and look at the batches of every stage.

    What is random is drawn as if it had not been.

    Raises:
        InputError: The pretrained start cannot be read, the method cannot be used with these
            networks or these data, batches are of one image where they are normalised by, or
            several devices would wait for parameters that nothing depends on.
    """
    recipe, size = planned.recipe, planned.recipe.image_size
    kind, config = resolve_method(planned.method)
    refuse_undivided(kind, split)
    labels = np.array(split.dataset.labels(), dtype=np.int64)
    samples = RunSamples(split, np.zeros((0, size, size, 3), np.uint8), labels)
    processes = recipe.trainer.devices * recipe.trainer.nodes
    with torch.random.fork_rng(devices=[]):
        student = _network(planned.model, kind, samples)
        if processes > 1:
            _refuse_unreached(planned.model, student, size)
        if kind.needs_teacher and planned.teacher is None:
            return
        teacher = _network(planned.teacher, kind, samples) if planned.teacher else None
        method = kind(config, student, teacher, context_of(recipe, planned.section, samples))
    images = len(split.indices("train"))
    for stage in method.stages():
        size = stage.samples.batch_size(stage.fit or planned.section.fit, images, processes)
        refuse_batches_of(size, stage, processes)


def refuse_undivided(kind: type[Method], split: Split) -> None:
    """Refuse a method of subclasses where the data have none."""
    if kind.learns_subclasses and not split.dataset.subclass_of:
        message = f"the method {kind.name} needs subclass labels, and {split.dataset.name} has none"
        raise InputError(message, "add `subclasses` to the recipe's `data`")


def context_of(recipe: Recipe, section: RoleSection, samples: RunSamples) -> MethodContext:
    """What a method may know of a run."""
    counts, balance = samples.class_counts(), section.fit.class_weights
    return MethodContext(
        class_counts=counts,
        class_weights=class_weights(counts, balance),
        samples=len(samples.labels),
        image_size=recipe.image_size,
        fit=section.fit,
        seed=recipe.seed,
        training_labels=torch.from_numpy(samples.training_labels()),
        subclasses=_subclasses(samples, balance),
    )


def _subclasses(samples: RunSamples, balance: Balance) -> Subclasses | None:
    if not samples.subclass_of:
        return None
    labels = torch.from_numpy(samples.subclass_labels())
    weights = class_weights(samples.subclass_counts(), balance)
    return Subclasses(samples.subclass_of, labels, weights)


def _network(model: ModelSection, kind: type[Method], samples: RunSamples) -> NormalisedNetwork:
    of = samples.subclass_of if kind.learns_subclasses else ()
    built = build_network(model, len(of) or len(samples.classes))
    return NormalisedNetwork(built.network, built.mean, built.std, of)


def _refuse_unreached(model: ModelSection, network: NormalisedNetwork, image_size: int) -> None:
    """Processes wait for each other's gradient of every parameter, also of one that has none."""
    names = unreached_parameters(network, image_size)
    if names:
        first = names[0].removeprefix("network.")
        message = (
            f"{model.arch} has {len(names)} parameters that its answers do not depend on "
            f"({first} first), and several devices would wait for them"
        )
        raise InputError(message, "set `trainer.devices` to 1, or take another `arch` or `options`")
