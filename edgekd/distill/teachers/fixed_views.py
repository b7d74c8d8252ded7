"""Augmented views of the training images that are the same in every epoch, run and process."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, replace
from functools import cached_property

import torch
from torch import Tensor

from edgekd.data.augment import Augmentation, Draw

__all__ = ["WHOLE_IMAGES", "EpochViews", "FixedViews", "WholeImages"]


class WholeImages:
    """The images themselves, where the outputs are theirs: a batch shows them augmented by draws of
    its own.
    """

    def in_epoch(self, seed: int, epoch: int) -> WholeImages:
        """The same in every epoch."""
        return self

    def of(self, indices: Tensor) -> Tensor:
        """Number 0 for each image [B]."""
        return torch.zeros_like(indices)


WHOLE_IMAGES = WholeImages()


@dataclass(frozen=True)
class FixedViews:
    """K views of each image of a data set.

    Attributes:
        augmentation: The recipe's augmentation.
        images: N, the number of images in the data set.
        views: K, the number of views of each.
        seed: Seed of the views alone, so that runs with other seeds share them.
        positions: Where each image of a run is in the data set that the views are of [N′]; None
            where that is the run's own.
    """

    augmentation: Augmentation
    images: int
    views: int
    seed: int
    positions: Tensor | None = None

    def at(self, positions: Tensor) -> FixedViews:
        """The same views for the images of another data set, by their positions in this one."""
        return replace(self, positions=positions)

    def digest(self) -> str:
        """Hash of what is drawn for all views, by which another program's draws are known."""
        draws = (getattr(self._draws, field.name) for field in fields(Draw))
        return hashlib.sha256(b"".join(draw.numpy().tobytes() for draw in draws)).hexdigest()

    def pixels(self, raw: Tensor, indices: Tensor, views: Tensor) -> Tensor:
        """The views [B, 3, S, S] of images.

        Args:
            raw: Images before augmentation [B, 3, M, M] in 0…1.
            indices: Their positions in the data set [B].
            views: Number of the view of each [B], 0…K−1.
        """
        rows = (views * self.images + self.own_positions(indices)).cpu()
        return self.augmentation.apply(raw, self._draws.rows(rows))

    def in_epoch(self, seed: int, epoch: int) -> EpochViews:
        """The view of each image in an epoch, a function of a stage's seed, epoch and image.

        An image shows all of its K views in K epochs, each image in an order of its own.
        """
        generator = torch.Generator().manual_seed(seed)
        starts = torch.randint(self.views, (self.images,), generator=generator)
        return EpochViews(self, (starts + epoch) % self.views)

    def own_positions(self, indices: Tensor) -> Tensor:
        """Positions [B] in the data set of the views, of those in the run's."""
        if self.positions is None:
            return indices
        return self.positions.to(indices.device)[indices]

    @cached_property
    def _draws(self) -> Draw:
        """The draws of view 0 of all images, then those of view 1, and so on."""
        draws = [self._draw(view) for view in range(self.views)]
        names = [field.name for field in fields(Draw)]
        return Draw(**{name: torch.cat([getattr(d, name) for d in draws]) for name in names})

    def _draw(self, view: int) -> Draw:
        generator = torch.Generator().manual_seed(self.seed * 100_003 + view)
        return self.augmentation.draw(self.images, generator)


@dataclass(frozen=True)
class EpochViews:
    """The view of each image in one epoch.

    Attributes:
        fixed: All views.
        numbers: Number of the view of each image of the data set [N].
    """

    fixed: FixedViews
    numbers: Tensor

    def of(self, indices: Tensor) -> Tensor:
        """Numbers of the views [B] of images by their positions in the data set [B]."""
        return self.numbers.to(indices.device)[self.fixed.own_positions(indices)]

    def augmented(self, raw: Tensor, targets: Tensor, indices: Tensor) -> tuple[Tensor, Tensor]:
        """The views of images [B, 3, M, M], and their targets, which stay."""
        return self.fixed.pixels(raw, indices, self.of(indices)), targets
