"""A network that sees images at a size of its own, whatever the size of those it is given."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgekd.data.augment.resample import area_resized
from edgekd.data.autocast import without_autocast
from edgekd.models.wrapped import Wrapped

__all__ = ["OwnSize", "resized"]


class OwnSize(Wrapped):
    """Takes images of any size and shows them to its network at one.

    Args:
        network: Takes images [B, 3, T, T].
        side: T in pixels.
    """

    def __init__(self, network: nn.Module, side: int) -> None:
        super().__init__(network)
        self.side = side

    def input_of(self, images: Tensor) -> Tensor:
        """Images [B, 3, T, T]."""
        return resized(images, self.side)


def resized(images: Tensor, side: int) -> Tensor:
    """Images [B, C, S, S] as [B, C, side, side].

    Larger ones are averaged over areas, as by the preprocessing rule; smaller ones are interpolated
    bicubically. Both are linear, so that it does not matter whether images are normalised before.
    """
    if images.shape[-1] == side:
        return images
    with without_autocast():  # in bfloat16 pixels would be rounded
        wide = images.to(torch.promote_types(images.dtype, torch.float32))
        if images.shape[-1] > side:
            return area_resized(wide, side)
        return F.interpolate(wide, size=(side, side), mode="bicubic", align_corners=False)
