"""Images mixed with others of their batch, and what their labels are then.

Mixup blends two images (Zhang, Cissé, Dauphin, Lopez-Paz 2018, "mixup: Beyond Empirical Risk
Minimization", ICLR; arXiv 1710.09412), cutmix pastes a rectangle of one into the other (Yun et al.
2019, "CutMix", ICCV; arXiv 1905.04899). As in both papers' code, the partners are a permutation of
the batch, and its images share one λ ~ Beta(α, α) and one rectangle. Each of several processes
mixes within its own batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from edgekd.recipe import AugmentSection

__all__ = ["MixedTargets", "Mixing", "Mixture", "Targets"]

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class MixedTargets:
    """The labels of images of which each was made of two.

    Attributes:
        first: Targets of the images that were mixed into, [B, …].
        second: Targets of their partners, [B, …].
        share: Share of the first in the mixed image, in 0…1, [B].
    """

    first: Tensor
    second: Tensor
    share: Tensor

    def rows(self, outputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The rows of a loss on labels: each output once with either label.

        Args:
            outputs: Of the mixed images, [B, …].

        Returns:
            Outputs [2·B, …], labels [2·B, …], and what each row counts [2·B].
        """
        return (
            torch.cat((outputs, outputs)),
            torch.cat((self.first, self.second)),
            torch.cat((self.share, 1.0 - self.share)),
        )

    def mean(self, first: Tensor, second: Tensor) -> Tensor:
        """The mean of what follows from either label [B, …], weighted by their shares."""
        share = self.share.reshape(-1, *[1] * (first.ndim - 1))
        return share * first + (1.0 - share) * second


Targets = Tensor | MixedTargets
"""Targets of a batch: as the task defines them, or of two images each."""


@dataclass(frozen=True)
class Mixture:
    """How the images of one batch are mixed.

    Attributes:
        partners: Position of each image's partner in the batch, [B].
        share: Share of the image itself in the mixed one.
        box: Left, top, right, bottom in pixels of what is taken from the partner; None where the
            images are blended.
    """

    partners: Tensor
    share: float
    box: Box | None = None

    def pixels(self, pixels: Tensor) -> Tensor:
        """Mixed images of images [B, 3, S, S]."""
        partners = pixels[self.partners.to(pixels.device)]
        if self.box is None:
            return torch.lerp(partners, pixels, self.share)
        left, top, right, bottom = self.box
        mixed = pixels.clone()
        mixed[:, :, top:bottom, left:right] = partners[:, :, top:bottom, left:right]
        return mixed

    def targets(self, targets: Tensor) -> MixedTargets:
        """The labels of the mixed images, from those of the images [B, …]."""
        share = torch.full((len(targets),), self.share, device=targets.device)
        return MixedTargets(targets, targets[self.partners.to(targets.device)], share)


@dataclass(frozen=True)
class Mixing:
    """How batches are mixed; where both are on, one of the two is drawn for each batch.

    Attributes:
        mixup: α of mixup; 0 is off.
        cutmix: α of cutmix; 0 is off.
    """

    mixup: float
    cutmix: float

    @classmethod
    def of(cls, section: AugmentSection) -> Mixing | None:
        """The mixing of a recipe; None where it has none."""
        return cls(section.mixup, section.cutmix) if section.mixes else None

    def draw(self, count: int, size: int, generator: torch.Generator) -> Mixture:
        """How `count` images of `size` pixels a side are mixed; the generator is on the CPU."""
        partners = torch.randperm(count, generator=generator)
        seed = int(torch.randint(2**62, (1,), generator=generator))
        numbers = np.random.default_rng(seed)
        pasted = bool(self.cutmix) and (not self.mixup or numbers.random() < 0.5)
        alpha = self.cutmix if pasted else self.mixup
        share = float(numbers.beta(alpha, alpha))
        if not pasted:
            return Mixture(partners, share)
        box = _box(1.0 - share, size, numbers)
        # The box is cut off at the border: the labels follow the pixels that are pasted.
        return Mixture(partners, 1.0 - _area(box) / size**2, box)


def _box(area: float, size: int, numbers: np.random.Generator) -> Box:
    """A square of a share of the area about a uniform centre, as far as it lies in the image."""
    side = size * area**0.5
    x, y = numbers.uniform(0.0, size, 2)
    edges = (x - side / 2, y - side / 2, x + side / 2, y + side / 2)
    left, top, right, bottom = (round(min(max(edge, 0.0), size)) for edge in edges)
    return left, top, right, bottom


def _area(box: Box) -> int:
    left, top, right, bottom = box
    return (right - left) * (bottom - top)
