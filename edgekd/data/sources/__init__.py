"""Where data sets come from: one file per source.

A source module has a `Config` (the recipe's keys besides `source`) and
`load(config, task) -> Dataset`, where `task` is the name of a task, for `labelled_rows` and
`dataset_of`: a source reads labels as text and does not depend on what they mean.
"""

from __future__ import annotations

import difflib
import importlib
from types import ModuleType
from typing import Any

from edgekd.data.dataset import Dataset
from edgekd.data.groups import grouped
from edgekd.data.subclasses import LabelSection, relabelled
from edgekd.data.task import data_task
from edgekd.errors import InputError
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.recipe import convert

__all__ = ["SOURCES", "load_dataset", "resolve_source"]

SOURCES = {
    "aptos2019": "edgekd.data.sources.aptos2019",
    "csv": "edgekd.data.sources.csv_table",
    "folder": "edgekd.data.sources.folder",
    "ham10000": "edgekd.data.sources.ham10000",
    "isic2019": "edgekd.data.sources.isic2019",
    "synthetic": "edgekd.data.sources.synthetic",
}


def load_dataset(section: dict[str, Any], task: str = DEFAULT_TASK) -> Dataset:
    """The data set of a recipe's `data` section: `source`, its keys, and those of `LabelSection`.

    Args:
        section: The recipe's `data`.
        task: The recipe's task, which says what a label is.

    Raises:
        InputError: The source is unknown, one of its keys is wrong, its files are missing, or a
            label is no label of the task.
    """
    module, config, labels = resolve_source(section, task)
    dataset = grouped(module.load(config, task))
    return dataset if labels is None else relabelled(dataset, labels)


def resolve_source(
    section: dict[str, Any], task: str = DEFAULT_TASK
) -> tuple[ModuleType, Any, LabelSection | None]:
    """A source's module, its config and the section that changes its labels; nothing is read.

    Raises:
        InputError: The source is unknown, one of its keys is wrong, or classes are to be merged or
            divided for a task that cannot do that.
    """
    options = dict(section)
    labels = {key: options.pop(key) for key in ("merge", "subclasses") if key in options}
    if labels and not data_task(task).merges_classes:
        message = f"the task {task} neither merges nor divides classes"
        hint = f"remove `data.{next(iter(labels))}`, or choose another task"
        raise InputError(message, hint)
    name = str(options.pop("source", ""))
    if name not in SOURCES:
        near = difflib.get_close_matches(name, SOURCES, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        message = f"there is no data source {name!r}"
        raise InputError(message, f"{hint}`data.source` is one of: {', '.join(SOURCES)}")
    module = importlib.import_module(SOURCES[name])
    config = convert(options, module.Config, f"data source {name}")
    return module, config, convert(labels, LabelSection, "`data`") if labels else None
