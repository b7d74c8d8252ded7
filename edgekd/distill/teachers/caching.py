"""Making the file of a teacher's outputs for fixed views: in blocks, by all processes together.

Beside the entry of the cache, a sealed folder, the folder `KEY.part` collects sealed blocks. Every
process that needs the file computes blocks that no other one has or works on; one joins them. A
build that was killed continues with the blocks that are missing.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor

from edgekd.distill.samples.run_samples import RunSamples
from edgekd.distill.teachers.fixed_views import FixedViews
from edgekd.distill.teachers.soft_labels import (
    SoftLabelFacts,
    SoftLabels,
    read_soft_labels,
    write_soft_labels,
)
from edgekd.distill.teachers.teacher import Teacher
from edgekd.files import atomic_write, make_folder
from edgekd.locks import hold_kind, unless_held, writer_in_turn
from edgekd.models import pixels_of
from edgekd.recipe import fingerprint
from edgekd.seals import flaw_of, is_whole, read_sealed, seal_files, write_sealed
from edgekd.user_folders import cache_folder

__all__ = ["SOFT_LABELS", "CachePlan", "make_soft_labels"]

SOFT_LABELS = "soft_labels.safetensors"
_KIND = "teachers"
_BLOCK = 64  # images: a killed build loses little, and a pass over one view of them is efficient
_PAUSE = 0.2  # seconds between two looks at the blocks that other processes work on


@dataclass(frozen=True)
class CachePlan:
    """What a file of soft labels is computed from.

    Attributes:
        samples: The images of the run.
        fixed: The views of each.
        facts: What the file says of itself; together with the images of the training part,
            everything that the numbers depend on.
        pooled: Whether pooled vectors are kept, too.
    """

    samples: RunSamples
    fixed: FixedViews
    facts: SoftLabelFacts
    pooled: bool

    @cached_property
    def indices(self) -> list[int]:
        """Positions of the training images in the data set."""
        return list(self.samples.split.indices("train"))

    @cached_property
    def key(self) -> str:
        """Hash of everything that the file depends on, whatever the other parts of the split."""
        facts = msgspec.structs.replace(self.facts, data={"sha256": self.facts.data["sha256"]})
        return fingerprint(facts, self.indices, self.pooled, _BLOCK)

    @property
    def folder(self) -> Path:
        """The entry of the cache."""
        return cache_folder() / _KIND / self.key[:24]

    @property
    def unfinished(self) -> Path:
        """The folder of the blocks."""
        return self.folder.with_name(f"{self.folder.name}.part")

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return -(-len(self.indices) // _BLOCK)

    def block(self, number: int) -> Path:
        """The file of a block."""
        return self.unfinished / f"{number:05d}"

    def images_of(self, number: int) -> list[int]:
        """Positions of a block's images in the data set."""
        return self.indices[number * _BLOCK : (number + 1) * _BLOCK]


def make_soft_labels(
    plan: CachePlan,
    teacher: Callable[[], Teacher],
    device: torch.device,
    tick: Callable[[int, int], None] | None = None,
) -> SoftLabels:
    """The soft labels of a plan, from the cache, or computed and kept there.

    Args:
        plan: What they are computed from.
        teacher: Gives the teacher, on `device`; called only where something is to be computed.
        device: Where the teacher runs.
        tick: Receives (images done, images in all).
    """
    hold_kind(_KIND)
    if not is_whole(plan.folder):
        _build(plan, teacher, device, tick)
    return read_soft_labels(plan.folder / SOFT_LABELS)


def _build(
    plan: CachePlan,
    teacher: Callable[[], Teacher],
    device: torch.device,
    tick: Callable[[int, int], None] | None,
) -> None:
    make_folder(plan.unfinished)
    builder: _Builder | None = None
    missing = _missing(plan, range(plan.blocks))
    while missing and not plan.folder.is_dir():
        progressed = False
        for number in missing:
            with unless_held(plan.block(number).with_suffix(".lock")) as free:
                if not free or plan.folder.is_dir() or not _missing(plan, [number]):
                    continue
                builder = builder or _Builder(plan, teacher(), device)
                builder.compute(number)
                progressed = True
            if tick:
                tick(_done(plan), len(plan.indices))
        missing = _missing(plan, missing)
        if missing and not progressed:
            time.sleep(_PAUSE)
    _join(plan)


def _missing(plan: CachePlan, numbers: Sequence[int]) -> list[int]:
    return [number for number in numbers if flaw_of(plan.block(number), plan.key) is not None]


def _done(plan: CachePlan) -> int:
    """Images of the blocks that are there, whichever process computed them."""
    there = [number for number in range(plan.blocks) if plan.block(number).is_file()]
    return sum(len(plan.images_of(number)) for number in there)


class _Builder:
    """Computes blocks."""

    def __init__(self, plan: CachePlan, teacher: Teacher, device: torch.device) -> None:
        self._plan = plan
        self._teacher = teacher
        self._device = device

    def compute(self, number: int) -> None:
        """Compute and write a block."""
        plan = self._plan
        positions = plan.images_of(number)
        images = torch.from_numpy(np.array(plan.samples.training_images[positions]))
        raw, indices = pixels_of(images.to(self._device)), torch.tensor(positions)
        views = [self._view(raw, indices, view) for view in range(plan.fixed.views)]
        block = {name: torch.stack([view[name] for view in views], dim=1) for name in views[0]}
        write_sealed(plan.block(number), save(block), plan.key)

    def _view(self, raw: Tensor, indices: Tensor, view: int) -> dict[str, Tensor]:
        pixels = self._plan.fixed.pixels(raw, indices, torch.full_like(indices, view))
        if not self._plan.pooled:
            return {"logits": self._teacher.outputs(None, pixels).float().cpu()}
        features = self._teacher.features(None, pixels)
        return {"logits": features.logits.float().cpu(), "pooled": features.pooled.float().cpu()}


def _join(plan: CachePlan) -> None:
    """Write the file from its blocks, in one process, and remove them."""
    with writer_in_turn(plan.folder.with_name(f".{plan.folder.name}.lock"), lambda: None):
        if not is_whole(plan.folder):
            _write(plan)
        shutil.rmtree(plan.unfinished, ignore_errors=True)


def _write(plan: CachePlan) -> None:
    blocks = [load(read_sealed(plan.block(n), plan.key)) for n in range(plan.blocks)]
    tables = {name: torch.cat([block[name] for block in blocks]) for name in blocks[0]}
    samples = plan.samples.split.dataset.samples
    labels = SoftLabels(
        plan.facts, tables["logits"], torch.tensor(plan.indices),
        tuple(samples[index].image for index in plan.indices), tables.get("pooled"),
    )  # fmt: skip
    beside = plan.folder.with_name(f".{plan.folder.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    make_folder(beside)
    with atomic_write(beside / SOFT_LABELS) as file:
        write_soft_labels(file, labels)
    seal_files(beside, [SOFT_LABELS])
    beside.rename(plan.folder)
