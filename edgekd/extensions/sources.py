"""Data sources: origins of a recipe's data set.

A source is a module or an object with `Config` (the recipe's keys beside `source`, a
`msgspec.Struct`) and `load(config, task) -> edgekd.data.Dataset`, where `task` is the name of the
recipe's task. It may have `ATTRIBUTES`, names of columns that are kept as attributes of its
samples. Each of edgekd's own is a file in `edgekd/data/sources/` and a line here, a third party's
is an entry point.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from edgekd.extensions.registry import Registry

__all__ = ["SOURCES", "SourceModule"]


@runtime_checkable
class SourceModule(Protocol):
    """The interface of a source."""

    Config: type[Any]
    """Typed keys of the recipe's `data` section beside `source`."""

    def load(self, config: Any, task: str) -> Any:
        """The `Dataset` of a config; `task` is the name of the recipe's task."""


SOURCES = Registry(
    "data source",
    "edgekd.sources",
    {
        "aptos2019": "edgekd.data.sources.aptos2019",
        "csv": "edgekd.data.sources.csv_table",
        "dicom": "edgekd.data.sources.dicom",
        "folder": "edgekd.data.sources.folder",
        "ham10000": "edgekd.data.sources.ham10000",
        "isic_archive": "edgekd.data.sources.isic_archive",
        "isic2019": "edgekd.data.sources.isic2019",
        "none": "edgekd.data.sources.none",
        "shards": "edgekd.data.sources.shards",
        "synthetic": "edgekd.data.sources.synthetic",
    },
    extra="distill",
)
"""edgekd's own data sources, and those of entry points: each a `SourceModule`."""
