"""Tasks: what a network is asked for, described layer by layer.

A task is a `TaskDescriptor`: for each layer the place of an object, imported when that layer needs
it, so that a device never imports what training needs. What each layer has to be is an abstract
class of the room that asks it:

    data        `edgekd.data.task.DataTask`            labels of a table, targets, strata of a split
    training    `edgekd.distill.task.TrainingTask`     outputs, losses, what methods soften (torch)
    metrics     `edgekd.metrics.task.MetricsTask`      metrics with intervals, selection, agreement
    manifest    `edgekd.bundle.task.ManifestTask`      the decision's section of the manifest
    device      `edgekd.runtime.task.DeviceTask`       from outputs to a decision
    evidence    `edgekd.lower.task.EvidenceTask`       gate, fit of the decision, floors, self-test
    report      `edgekd.bench.task.ReportTask`         rows, columns, words and pictures

edgekd's own are folders of `edgekd/tasks/`, one file a layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Literal

from edgekd.errors import ArtefactError
from edgekd.extensions.registry import Registry

__all__ = ["DEFAULT_TASK", "LAYERS", "TASKS", "Layer", "TaskDescriptor", "load_layer", "task_named"]

Layer = Literal["data", "training", "metrics", "manifest", "device", "evidence", "report"]
LAYERS: tuple[Layer, ...] = (
    "data", "training", "metrics", "manifest", "device", "evidence", "report",
)  # fmt: skip


@dataclass(frozen=True)
class TaskDescriptor:
    """One task.

    Attributes:
        name: As in recipes and manifests.
        title: For people, as "one class for an image".
        layers: Where the object of each layer is, as `module:attribute`; a class is called without
            arguments.
    """

    name: str
    title: str
    layers: Mapping[Layer, str]


TASKS = Registry(
    "task",
    "edgekd.tasks",
    {
        "classification": "edgekd.tasks.classification:TASK",
        "multilabel": "edgekd.tasks.multilabel:TASK",
    },
)
"""edgekd's own, and the entry points of others: each a `TaskDescriptor`."""

DEFAULT_TASK = "classification"
"""That of recipes, checkpoints and results which name none."""


@cache
def task_named(name: str) -> TaskDescriptor:
    """The descriptor of a task.

    Raises:
        InputError: There is no such task.
        MissingDependencyError, ArtefactError: A third party's cannot be loaded.
    """
    found: TaskDescriptor = TASKS.load(name, lambda one: isinstance(one, TaskDescriptor))
    return found


@cache
def load_layer(name: str, layer: Layer, kind: type[Any]) -> Any:
    """One layer of a task.

    Args:
        name: Of the task.
        layer: Which one.
        kind: The abstract class that it has to be.

    Raises:
        InputError: There is no such task.
        MissingDependencyError: A package that the layer imports is not installed.
        ArtefactError: A third party's lacks the layer, or it is of another kind.
    """
    descriptor = task_named(name)
    place = descriptor.layers.get(layer)
    hint = "tell those who made it"
    if place is None:
        raise ArtefactError(f"the task {name} has no layer {layer!r}", hint)
    module, _, attribute = place.partition(":")
    found = getattr(import_module(module), attribute)
    made = found() if isinstance(found, type) else found
    if not isinstance(made, kind):
        raise ArtefactError(f"the layer {layer!r} of the task {name} is no {kind.__name__}", hint)
    return made
