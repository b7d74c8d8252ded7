"""Sources of data sets, one module each; `edgekd.extensions.sources` lists them."""

from __future__ import annotations

from typing import Any, NamedTuple

from edgekd.data.attributes import attributed
from edgekd.data.dataset import Dataset
from edgekd.data.groups import grouped
from edgekd.data.subclasses import LabelSection, relabelled
from edgekd.data.task import data_task
from edgekd.data.unlabelled import UnlabelledKey
from edgekd.errors import InputError
from edgekd.extensions.sources import SOURCES, SourceModule
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.recipe import Section, convert

__all__ = ["load_dataset", "load_source", "resolve_source"]


class ResolvedSource(NamedTuple):
    """A source, its config, and what a recipe's `data` section says beside the source's keys."""

    module: SourceModule
    config: Any
    labels: LabelSection | None
    attributes: AttributeSection | None


class AttributeSection(Section, frozen=True, kw_only=True):
    """Key of a recipe's `data` that any source takes.

    Attributes:
        attributes: Columns of the source's table by which results are to be compared (`[age,
            sex]`), or `{age: [40, 60], sex: []}` with the numbers at which one is divided. By
            default those of the source that are usual.
    """

    attributes: dict[str, tuple[float, ...]] | tuple[str, ...]


def load_dataset(section: dict[str, Any], task: str = DEFAULT_TASK) -> Dataset:
    """The data set of a recipe's `data` section.

    That has `source` and its keys, those of `LabelSection`, `attributes`, and `unlabelled`, whose
    images are not among these.

    Args:
        section: The recipe's `data`.
        task: The recipe's task, which says what a label is.

    Raises:
        InputError: The source is unknown, one of its keys is wrong, its files or columns are
            missing, or a label is no label of the task.
    """
    source = resolve_source(section, task)
    dataset: Dataset = source.module.load(source.config, task)
    if not dataset.has_images:
        return dataset
    dataset = grouped(dataset)
    if source.attributes is not None:
        dataset = attributed(dataset, source.attributes.attributes)
    elif usual := getattr(source.module, "ATTRIBUTES", ()):
        dataset = attributed(dataset, usual, required=False)
    return dataset if source.labels is None else relabelled(dataset, source.labels)


def resolve_source(section: dict[str, Any], task: str = DEFAULT_TASK) -> ResolvedSource:
    """A source and its config; nothing is read.

    Raises:
        InputError: The source is unknown, one of its keys is wrong, or classes are to be merged or
            divided for a task that cannot do that.
        MissingDependencyError, ArtefactError: A third party's source cannot be loaded.
    """
    options = dict(section)
    labels = {key: options.pop(key) for key in ("merge", "subclasses") if key in options}
    if "unlabelled" in options:
        convert({"unlabelled": options.pop("unlabelled")}, UnlabelledKey, "`data`")
    facts = {key: options.pop(key) for key in ("attributes",) if key in options}
    if labels and not data_task(task).merges_classes:
        message = f"the task {task} neither merges nor divides classes"
        hint = f"remove `data.{next(iter(labels))}`, or choose another task"
        raise InputError(message, hint)
    name = str(options.pop("source", ""))
    source = load_source(name)
    return ResolvedSource(
        source,
        convert(options, source.Config, f"data source {name}"),
        convert(labels, LabelSection, "`data`") if labels else None,
        convert(facts, AttributeSection, "`data`") if facts else None,
    )


def load_source(name: str) -> SourceModule:
    """The source of that name.

    Raises:
        InputError: There is no source of that name.
        MissingDependencyError, ArtefactError: A third party's source cannot be loaded.
    """
    source: SourceModule = SOURCES.load(name, lambda loaded: isinstance(loaded, SourceModule))
    return source
