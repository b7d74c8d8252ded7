"""`synthetic`: procedural dermoscopy, painted once for each seed and reused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from edgekd.data.dataset import Dataset
from edgekd.data.sources import ham10000
from edgekd.data.synthetic import GENERATOR_VERSION, write_dataset
from edgekd.locks import hold_kind
from edgekd.recipe import Section, Seed
from edgekd.user_folders import cache_folder

__all__ = ["ATTRIBUTES", "Config", "load"]

ATTRIBUTES = ham10000.ATTRIBUTES


class Config(Section, frozen=True, kw_only=True):
    """Keys of the source.

    Attributes:
        images: Number of images.
        size: Their side in pixels.
        seed: Equal seeds give equal images.
        root: Folder for the images; by default one in the cache.
    """

    images: Annotated[int, Meta(ge=70)] = 2000
    size: Annotated[int, Meta(ge=32)] = 128
    seed: Seed = 0
    root: str | None = None


def load(config: Config, task: str) -> Dataset:
    """Paint the images, or reuse those of an earlier call; the layout is that of HAM10000."""
    name = f"synthetic-{GENERATOR_VERSION}-{config.images}-{config.size}-{config.seed}"
    if config.root is None:
        hold_kind("synthetic")
    root = Path(config.root) if config.root else cache_folder() / "synthetic" / name
    write_dataset(root, images=config.images, seed=config.seed, size=config.size)
    painted = ham10000.load(ham10000.Config(root=str(root)), task)
    licence, citation = "Apache-2.0", "painted by edgekd; no patient is shown"
    return replace(painted, name=name, licence=licence, citation=citation)
