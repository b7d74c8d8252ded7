"""Random changes of a batch of images, on the device of the batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from edgekd.data.augment_dermoscopy import dermoscopy_appearance, dermoscopy_geometry
from edgekd.recipe import AugmentSection

__all__ = ["Augmentation", "augment"]

_Change = Callable[[Tensor, AugmentSection, torch.Generator], Tensor]
_GREY = (0.299, 0.587, 0.114)  # luma of ITU-R BT.601


@dataclass(frozen=True)
class Augmentation:
    """A recipe's augmentation and the generator of its draws.

    Attributes:
        section: What may change, and how much.
        generator: On the CPU; the same state gives the same changes on every device.
    """

    section: AugmentSection
    generator: torch.Generator

    def __call__(self, pixels: Tensor) -> Tensor:
        """Each image changed by its own draw; see `augment`."""
        return augment(pixels, self.section, self.generator)

    def with_maps(self, pixels: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Images changed by their own draws, and maps moved in the same way.

        Args:
            pixels: float32 [B, 3, S, S] in 0…1.
            maps: float32 [B, M, S, S], such as one mask for each class; interpolated linearly, and
                not recoloured.
        """
        geometry, appearance = _policy(self.section)
        moved = geometry(torch.cat((pixels, maps), dim=1), self.section, self.generator)
        channels = pixels.shape[1]
        return appearance(moved[:, :channels], self.section, self.generator), moved[:, channels:]


def augment(pixels: Tensor, section: AugmentSection, generator: torch.Generator) -> Tensor:
    """Each image changed by its own draw: first its geometry, then its appearance.

    Args:
        pixels: float32 [B, 3, S, S] in 0…1.
        section: What may change, and how much.
        generator: On the CPU; the same state gives the same changes on every device.

    Returns:
        float32 [B, 3, S, S] in 0…1.
    """
    geometry, appearance = _policy(section)
    return appearance(geometry(pixels, section, generator), section, generator)


def _policy(section: AugmentSection) -> tuple[_Change, _Change]:
    """The changes of geometry, for any number of channels, and of appearance, for RGB only."""
    if section.policy == "dermoscopy":
        return (
            lambda pixels, _, generator: dermoscopy_geometry(pixels, generator),
            lambda pixels, _, generator: dermoscopy_appearance(pixels, generator),
        )
    return _geometry, _appearance


def _geometry(pixels: Tensor, section: AugmentSection, generator: torch.Generator) -> Tensor:
    if section.zoom:
        pixels = _zoom(pixels, section.zoom, generator)
    if section.flip:
        pixels = _mirror(pixels, 3, generator)
        pixels = _mirror(pixels, 2, generator)
    if section.quarter_turns:
        pixels = _quarter_turns(pixels, generator)
    return pixels


def _appearance(pixels: Tensor, section: AugmentSection, generator: torch.Generator) -> Tensor:
    return _colour(pixels, section.colour, generator) if section.colour else pixels


def _uniform(pixels: Tensor, low: float, high: float, generator: torch.Generator) -> Tensor:
    draw = torch.rand(len(pixels), 1, 1, 1, generator=generator)
    return (low + (high - low) * draw).to(pixels.device)


def _mirror(pixels: Tensor, axis: int, generator: torch.Generator) -> Tensor:
    mirrored = _uniform(pixels, 0.0, 1.0, generator) < 0.5
    return torch.where(mirrored, pixels.flip(axis), pixels)


def _quarter_turns(pixels: Tensor, generator: torch.Generator) -> Tensor:
    turns = torch.randint(4, (len(pixels),), generator=generator)
    turned = pixels.clone()
    for count in (1, 2, 3):
        chosen = (turns == count).to(pixels.device)
        turned[chosen] = torch.rot90(pixels[chosen], count, (2, 3))
    return turned


def _zoom(pixels: Tensor, amount: float, generator: torch.Generator) -> Tensor:
    factor = 1.0 / _uniform(pixels, 1.0 - amount, 1.0 + amount, generator).reshape(-1)
    theta = torch.zeros(len(pixels), 2, 3, device=pixels.device)
    theta[:, 0, 0] = theta[:, 1, 1] = factor
    grid = F.affine_grid(theta, list(pixels.shape), align_corners=False)
    return F.grid_sample(pixels, grid, padding_mode="reflection", align_corners=False)


def _colour(pixels: Tensor, amount: float, generator: torch.Generator) -> Tensor:
    low, high = 1.0 - amount, 1.0 + amount
    luma = torch.tensor(_GREY, device=pixels.device).reshape(1, 3, 1, 1)
    pixels = pixels * _uniform(pixels, low, high, generator)
    mean = pixels.mean(dim=(1, 2, 3), keepdim=True)
    pixels = mean + (pixels - mean) * _uniform(pixels, low, high, generator)
    grey = (pixels * luma).sum(dim=1, keepdim=True)
    pixels = grey + (pixels - grey) * _uniform(pixels, low, high, generator)
    return pixels.clamp(0.0, 1.0)
