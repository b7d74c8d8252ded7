"""Sources of data sets, one module each; `edgekd.extensions.sources` lists them."""

from __future__ import annotations

from typing import Any

from edgekd.data.dataset import Dataset
from edgekd.data.groups import grouped
from edgekd.data.subclasses import LabelSection, relabelled
from edgekd.data.task import data_task
from edgekd.errors import InputError
from edgekd.extensions.sources import SOURCES, SourceModule
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.recipe import convert

__all__ = ["load_dataset", "load_source", "resolve_source"]


def load_dataset(section: dict[str, Any], task: str = DEFAULT_TASK) -> Dataset:
    """The data set of a recipe's `data` section: `source`, its keys, and those of `LabelSection`.

    Args:
        section: The recipe's `data`.
        task: The recipe's task, which says what a label is.

    Raises:
        InputError: The source is unknown, one of its keys is wrong, its files are missing, or a
            label is no label of the task.
    """
    source, config, labels = resolve_source(section, task)
    dataset = grouped(source.load(config, task))
    return dataset if labels is None else relabelled(dataset, labels)


def resolve_source(
    section: dict[str, Any], task: str = DEFAULT_TASK
) -> tuple[SourceModule, Any, LabelSection | None]:
    """A source, its config and the section that changes its labels; nothing is read.

    Raises:
        InputError: The source is unknown, one of its keys is wrong, or classes are to be merged or
            divided for a task that cannot do that.
        MissingDependencyError, ArtefactError: A third party's source cannot be loaded.
    """
    options = dict(section)
    labels = {key: options.pop(key) for key in ("merge", "subclasses") if key in options}
    if labels and not data_task(task).merges_classes:
        message = f"the task {task} neither merges nor divides classes"
        hint = f"remove `data.{next(iter(labels))}`, or choose another task"
        raise InputError(message, hint)
    name = str(options.pop("source", ""))
    source = load_source(name)
    config = convert(options, source.Config, f"data source {name}")
    return source, config, convert(labels, LabelSection, "`data`") if labels else None


def load_source(name: str) -> SourceModule:
    """The source of that name.

    Raises:
        InputError: There is no source of that name.
        MissingDependencyError, ArtefactError: A third party's source cannot be loaded.
    """
    source: SourceModule = SOURCES.load(name, lambda loaded: isinstance(loaded, SourceModule))
    return source
