"""A recipe's augmentation: what is drawn for each image, and what the draw does to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from edgekd.data.augment.affine import is_exact
from edgekd.data.augment.appearance import change_appearance
from edgekd.data.augment.dermoscopy import draw_dermoscopy
from edgekd.data.augment.draw import Draw
from edgekd.data.augment.light import draw_light
from edgekd.data.augment.resample import warp
from edgekd.data.augment.trivial import draw_trivial
from edgekd.data.autocast import without_autocast
from edgekd.recipe import AugmentSection

__all__ = ["Augmentation", "augment"]

Policy = Callable[[AugmentSection, int, torch.Generator], Draw]
_POLICIES: dict[str, Policy] = {
    "light": draw_light,
    "dermoscopy": lambda _, count, generator: draw_dermoscopy(count, generator),
    "trivial": draw_trivial,
}


@dataclass(frozen=True)
class Augmentation:
    """A recipe's augmentation, to images of a size.

    Attributes:
        section: What may change, and how much.
        size: S, the side of the augmented images in pixels.
    """

    section: AugmentSection
    size: int

    def draw(self, count: int, generator: torch.Generator) -> Draw:
        """The parameters of `count` images' changes; the generator is on the CPU."""
        with without_autocast():
            return _POLICIES[self.section.policy](self.section, count, generator)

    def apply(self, pixels: Tensor, draw: Draw) -> Tensor:
        """Images changed as drawn: first their geometry, then their appearance.

        An image's result depends on its own row of the draw alone, not on its batch.

        Args:
            pixels: [B, 3, M, M] in 0…1, of any side M.
            draw: Of as many images.

        Returns:
            float32 [B, 3, S, S] in 0…1.
        """
        return self.apply_with_maps(pixels, pixels[:, :0], draw)[0]

    def apply_with_maps(self, pixels: Tensor, maps: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        """Images changed as drawn, and maps moved in the same way.

        Args:
            pixels: [B, 3, M, M] in 0…1.
            maps: float32 [B, K, M, M], such as one mask for each class; interpolated linearly, and
                not recoloured.
            draw: Of as many images.
        """
        with without_autocast():  # in bfloat16 positions are off by half a pixel and more
            pixels = pixels.to(torch.promote_types(pixels.dtype, torch.float32))
            both = torch.cat((pixels, maps), dim=1) if maps.shape[1] else pixels
            moved, channels = warp(both, draw.affine, self.size), pixels.shape[1]
            images = self._clamped(moved[:, :channels], pixels, draw)
            return change_appearance(images, draw), moved[:, channels:]

    def _clamped(self, moved: Tensor, pixels: Tensor, draw: Draw) -> Tensor:
        """Moved images in 0…1; permuted ones were in the range of `pixels` anyway."""
        permuted = moved.shape == pixels.shape and bool(is_exact(draw.affine).all())
        return moved if permuted else moved.clamp(0.0, 1.0)

    def __call__(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        """Each image changed by a draw of its own; see `apply`."""
        return self.apply(pixels, self.draw(len(pixels), generator))

    def with_maps(
        self, pixels: Tensor, maps: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Images, and maps with them, each changed by a draw of its own; see `apply_with_maps`."""
        return self.apply_with_maps(pixels, maps, self.draw(len(pixels), generator))


def augment(pixels: Tensor, section: AugmentSection, generator: torch.Generator) -> Tensor:
    """Images [B, 3, S, S] changed without resizing, each by a draw of its own."""
    return Augmentation(section, pixels.shape[-1])(pixels, generator)
