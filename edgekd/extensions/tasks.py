"""Tasks: what a network predicts, described layer by layer.

A task is a `TaskDescriptor`. For each layer it has the place of an object that is imported when the
layer is used, so that a device never imports what training needs. A layer implements an abstract
class of the room that uses it:

    data        `edgekd.data.task.DataTask`            labels of a table, targets, strata of a split
    training    `edgekd.distill.task.TrainingTask`     outputs, losses, what methods soften (torch)
    metrics     `edgekd.metrics.task.MetricsTask`      metrics with intervals, selection, agreement
    manifest    `edgekd.bundle.task.ManifestTask`      the decision's section of the manifest
    device      `edgekd.runtime.task.DeviceTask`       from outputs to a decision
    evidence    `edgekd.lower.task.EvidenceTask`       gate, fit of the decision, floors, self-test
    report      `edgekd.bench.task.ReportTask`         rows, columns, words and pictures

edgekd's own tasks are folders of `edgekd/tasks/`, with one file for each layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
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
        name: Name, as in recipes and manifests.
        title: Description for people, such as "one class for an image".
        layers: Place of each layer, as `module:attribute`; a class is called without arguments.
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
"""edgekd's own tasks, and those of entry points: each a `TaskDescriptor`."""

DEFAULT_TASK = "classification"
"""The task of recipes, checkpoints and results that name none."""


def task_named(name: str) -> TaskDescriptor:
    """The descriptor of a task.

    Raises:
        InputError: There is no such task.
        MissingDependencyError, ArtefactError: A third party's task cannot be loaded.
    """
    descriptor: TaskDescriptor = TASKS.load(name, lambda loaded: isinstance(loaded, TaskDescriptor))
    return descriptor


@cache
def load_layer(name: str, layer: Layer, kind: type[Any]) -> Any:
    """One layer of a task.

    Args:
        name: Name of the task.
        layer: Name of the layer.
        kind: The abstract class that the layer implements.

    Raises:
        InputError: There is no such task.
        MissingDependencyError: A third party's layer lacks a package that it imports.
        ArtefactError: The task lacks the layer, or it cannot be loaded.
    """
    place = task_named(name).layers.get(layer)
    if place is None:
        hint = "use another task, or report it to the authors of this one"
        raise ArtefactError(f"the task {name} has no layer {layer!r}", hint)
    made = TASKS.load_part(
        name,
        f"layer {layer!r}",
        place,
        lambda loaded: isinstance(loaded, kind) or issubclass(loaded, kind),
    )
    return made() if isinstance(made, type) else made
