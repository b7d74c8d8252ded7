"""Where data sets come from: one file per source.

A source module has a `Config` (the recipe's keys besides `source`) and `load(config) -> Dataset`.
"""

from __future__ import annotations

import difflib
import importlib
from types import ModuleType
from typing import Any

from edgekd.data.dataset import Dataset
from edgekd.data.groups import grouped
from edgekd.data.subclasses import LabelSection, relabelled
from edgekd.errors import InputError
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


def load_dataset(section: dict[str, Any]) -> Dataset:
    """The data set of a recipe's `data` section: `source`, its keys, and those of `LabelSection`.

    Raises:
        InputError: The source is unknown, one of its keys is wrong, or its files are not there.
    """
    module, config, labels = resolve_source(section)
    dataset = grouped(module.load(config))
    return dataset if labels is None else relabelled(dataset, labels)


def resolve_source(section: dict[str, Any]) -> tuple[ModuleType, Any, LabelSection | None]:
    """A source's module, its config and what is asked of the labels; nothing is read.

    Raises:
        InputError: The source is unknown, or one of its keys is wrong.
    """
    options = dict(section)
    labels = {key: options.pop(key) for key in ("merge", "subclasses") if key in options}
    name = str(options.pop("source", ""))
    if name not in SOURCES:
        near = difflib.get_close_matches(name, SOURCES, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        message = f"there is no data source {name!r}"
        raise InputError(message, f"{hint}`data.source` is one of: {', '.join(SOURCES)}")
    module = importlib.import_module(SOURCES[name])
    config = convert(options, module.Config, f"data source {name}")
    return module, config, convert(labels, LabelSection, "`data`") if labels else None
