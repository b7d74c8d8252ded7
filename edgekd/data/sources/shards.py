"""`shards`: tar archives of WebDataset, at paths or addresses."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from edgekd.data.dataset import Dataset, Sample, dataset_of
from edgekd.data.fetching import fetched_folder
from edgekd.data.shards import ShardSample, expand_braces, json_of, label_of, read_shard
from edgekd.data.task import data_task
from edgekd.data.text import clean
from edgekd.recipe import Section

__all__ = ["Config", "load"]


class Config(Section, frozen=True, kw_only=True):
    """Keys of the source.

    Attributes:
        urls: Paths or addresses (`s3://…`, `https://…`) of .tar files; `{000..012}` is a range.
            A sample is NAME.jpg (or another image) with NAME.cls, NAME.txt or NAME.json.
        label_key: Key of the label in NAME.json.
        group_key: Key of the lesion or patient in NAME.json; without one, an image is a group of
            its own.
        classes: Class names in the order of the network's outputs, which a number in NAME.cls
            counts from 0; by default the labels that occur, sorted.
        ordered: The classes are grades, from the least to the worst.
        name: Name for reports.
    """

    urls: Annotated[tuple[str, ...], Meta(min_length=1)]
    label_key: str = "label"
    group_key: str | None = None
    classes: Annotated[tuple[str, ...], Meta(min_length=1)] | None = None
    ordered: bool = False
    name: str = "shards"
    licence: str = ""

    def __post_init__(self) -> None:
        """Refuse grades without their order."""
        if self.ordered and not self.classes:
            raise ValueError("`ordered` needs `classes`, from the least to the worst")


def load(config: Config, task: str) -> Dataset:
    """The data set of the shards, which are extracted once into the cache.

    Raises:
        InputError: A shard cannot be read, or a sample has no label; see `read_shard`.
        MissingDependencyError: The package for a kind of address is not installed.
    """
    classes = [clean(name) for name in config.classes] if config.classes else None
    samples: list[Sample] = []
    for url in (each for pattern in config.urls for each in expand_braces(pattern)):
        folder, rows = read_shard(url)
        samples += [_sample(folder.name, row, url, config, classes) for row in rows]
    return dataset_of(
        config.name,
        fetched_folder(),
        samples,
        classes=classes,
        licence=config.licence,
        ordered=config.ordered,
        notes=data_task(task).notes([sample.label for sample in samples], classes),
        task=task,
    )


def _sample(
    folder: str, row: ShardSample, url: str, config: Config, classes: list[str] | None
) -> Sample:
    columns = {key: str(value) for key, value in json_of(row, url).items()}
    group = columns.get(config.group_key, "") if config.group_key else ""
    label = clean(label_of(row, url, config.label_key, classes))
    return Sample(f"{folder}/{row.image}", label, group, columns)
