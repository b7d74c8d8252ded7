"""Sources of data sets, one file each; which there are is in `edgekd.extensions.sources`."""

from __future__ import annotations

from typing import Any

from edgekd.data.dataset import Dataset
from edgekd.data.groups import grouped
from edgekd.data.subclasses import LabelSection, relabelled
from edgekd.extensions.sources import SOURCES, SourceModule
from edgekd.recipe import convert

__all__ = ["load_dataset", "resolve_source"]


def load_dataset(section: dict[str, Any]) -> Dataset:
    """The data set of a recipe's `data` section: `source`, its keys, and those of `LabelSection`.

    Raises:
        InputError: The source is unknown, one of its keys is wrong, or its files are not there.
    """
    module, config, labels = resolve_source(section)
    dataset = grouped(module.load(config))
    return dataset if labels is None else relabelled(dataset, labels)


def resolve_source(section: dict[str, Any]) -> tuple[SourceModule, Any, LabelSection | None]:
    """A source, its config and the section of the labels; nothing is read.

    Raises:
        InputError: The source is unknown, or one of its keys is wrong.
        MissingDependencyError, ArtefactError: A third party's cannot be loaded.
    """
    options = dict(section)
    labels = {key: options.pop(key) for key in ("merge", "subclasses") if key in options}
    name = str(options.pop("source", ""))
    module: SourceModule = SOURCES.load(name, lambda loaded: isinstance(loaded, SourceModule))
    config = convert(options, module.Config, f"data source {name}")
    return module, config, convert(labels, LabelSection, "`data`") if labels else None
