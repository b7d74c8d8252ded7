"""The images of a search without data: made of the teacher, and kept in the search's folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load, save
from torch import Tensor

from edgekd.distill.synthesis.inversion import Inversion
from edgekd.errors import InputError
from edgekd.seals import read_kept, write_sealed

__all__ = ["FOLDER", "MadeImages", "make_images"]

FOLDER = "inversion"
"""Folder of the batches that were made."""


class MadeImages(NamedTuple):
    """Images that were made of a teacher.

    Attributes:
        canvases: uint8 [N, 3, C, C].
        labels: Classes that they were made for, int64 [N].
        outputs: The teacher's logits for their middles, float32 [N, K].
    """

    canvases: Tensor
    labels: Tensor
    outputs: Tensor


def make_images(
    inversion: Inversion,
    out: Path,
    purpose: str,
    seed: int,
    say: Callable[[str], None] = lambda line: None,
) -> MadeImages:
    """Make the images of the inversion's settings; batches in the folder are taken from there.

    Args:
        inversion: Makes them.
        out: Folder of the search.
        purpose: Names all that the images depend on besides the seed.
        seed: Seed of the images.
        say: Receives lines of progress.

    Raises:
        InputError: A batch cannot show every class, or there are too few images to hold one out.
    """
    settings, classes = inversion.settings, inversion.classes
    if settings.batch < classes:
        message = f"batches of {settings.batch} images cannot show all {classes} classes"
        raise InputError(message, f"raise `synthesis.batch` to {classes} or more")
    if settings.images < 2:
        raise InputError("one image cannot both teach and judge", "raise `synthesis.images`")
    count = -(-settings.images // settings.batch)
    parts = [_batch_of(inversion, number, count, out, f"{purpose} {seed}", seed, say)
             for number in range(count)]  # fmt: skip
    return MadeImages(
        *(torch.cat(tensors)[: settings.images] for tensors in zip(*parts, strict=True))
    )


def _batch_of(
    inversion: Inversion, number: int, count: int, out: Path, purpose: str, seed: int,
    say: Callable[[str], None],
) -> MadeImages:  # fmt: skip
    """A batch, from its file or made now."""
    place, key = out / FOLDER / f"{number:04d}.safetensors", f"{purpose} {number}"
    stored = read_kept(place, key)
    if stored is None:
        begin = time.perf_counter()
        generator = torch.Generator().manual_seed(seed * 100_003 + number)
        made = inversion.batch(inversion.settings.batch, generator)
        images = {
            "canvases": (made.canvases * 255.0).round().to(torch.uint8).cpu().contiguous(),
            "labels": made.labels.cpu(),
            "outputs": made.outputs.cpu(),
        }
        stored = save(images)
        write_sealed(place, stored, key)
        shares = ", ".join(f"{share:.0%}" for share in made.agreement)
        seconds = time.perf_counter() - begin
        say(
            f"images {number + 1}/{count}: after each round the teacher takes {shares} for what "
            f"they were made for ({seconds:.0f} s)"
        )
    batch = load(stored)
    return MadeImages(batch["canvases"], batch["labels"], batch["outputs"])
