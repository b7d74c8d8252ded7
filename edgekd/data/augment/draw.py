"""The parameters of the changes of some images."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from edgekd.data.augment import affine

__all__ = ["Draw"]


@dataclass(frozen=True)
class Draw:
    """The parameters of the changes of N images, in the order in which they are applied.

    All are tensors on the CPU, one row for each image. What differs from pixel to pixel follows
    from the image's seed.

    Attributes:
        affine: float32 [N, 2, 3]: from a position in the result to one in the image, (x, y) in
            −1…1 of each; see `edgekd.data.augment.affine`.
        blur: float32 [N], standard deviation of a Gaussian in pixels of the result.
        dropped_pixels: float32 [N], share of the pixels that turn black.
        dropped_blocks: float32 [N], share of the blocks of 4×4 pixels that turn black.
        factors: float32 [N, 3], of brightness, of contrast about the image's mean, of saturation.
        shift: float32 [N, 3], what is added to red, green and blue.
        hue_saturation: float32 [N, 2], what is added to hue (1 is the whole circle) and saturation.
        erased: float32 [N, 4], the rectangle that noise replaces: left, top, right, bottom in 0…1
            of the result; empty where left is right.
        seeds: int64 [N].
    """

    affine: Tensor
    blur: Tensor
    dropped_pixels: Tensor
    dropped_blocks: Tensor
    factors: Tensor
    shift: Tensor
    hue_saturation: Tensor
    erased: Tensor
    seeds: Tensor

    def __len__(self) -> int:
        """Number of images."""
        return len(self.affine)

    def rows(self, indices: Tensor) -> Draw:
        """The draws of some of the images, by positions or by a mask [N]."""
        return Draw(**{field.name: getattr(self, field.name)[indices] for field in fields(self)})

    @classmethod
    def unchanged(cls, count: int) -> Draw:
        """The draws of images that stay as they are."""
        return cls(
            affine=affine.identity(count),
            blur=torch.zeros(count),
            dropped_pixels=torch.zeros(count),
            dropped_blocks=torch.zeros(count),
            factors=torch.ones(count, 3),
            shift=torch.zeros(count, 3),
            hue_saturation=torch.zeros(count, 2),
            erased=torch.zeros(count, 4),
            seeds=torch.zeros(count, dtype=torch.int64),
        )
