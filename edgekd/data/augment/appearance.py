"""The changes of a draw that move no pixel, in their order."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from edgekd.data.augment.colour import blur, recolour, shift_hue_saturation
from edgekd.data.augment.draw import Draw
from edgekd.data.augment.holes import drop_blocks, drop_pixels, erase

__all__ = ["change_appearance"]


def change_appearance(pixels: Tensor, draw: Draw) -> Tensor:
    """Images float32 [B, 3, S, S] in 0…1 with the draw's blur, holes and colours.

    Each change is computed for the images alone that it changes.
    """
    for changed, change in _CHANGES:
        pixels = _changed(pixels, changed(draw), draw, change)
    return pixels


def _changed(
    pixels: Tensor, rows: Tensor, draw: Draw, change: Callable[[Tensor, Draw], Tensor]
) -> Tensor:
    """The images [B, …] with `change` applied where `rows` [B] is true."""
    if not rows.any():
        return pixels
    if rows.all():
        return change(pixels, draw)
    chosen = rows.nonzero().flatten()
    positions = chosen.to(pixels.device)
    return pixels.index_copy(0, positions, change(pixels[positions], draw.rows(chosen)))


_CHANGES: tuple[tuple[Callable[[Draw], Tensor], Callable[[Tensor, Draw], Tensor]], ...] = (
    (lambda d: d.blur > 0, lambda p, d: blur(p, d.blur)),
    (lambda d: d.dropped_pixels > 0, lambda p, d: drop_pixels(p, d.dropped_pixels, d.seeds)),
    (lambda d: d.dropped_blocks > 0, lambda p, d: drop_blocks(p, d.dropped_blocks, d.seeds)),
    (
        lambda d: (d.factors != 1).any(dim=1) | (d.shift != 0).any(dim=1),
        lambda p, d: recolour(p, d.factors, d.shift),
    ),
    (
        lambda d: (d.hue_saturation != 0).any(dim=1),
        lambda p, d: shift_hue_saturation(p, d.hue_saturation),
    ),
    (lambda d: d.erased[:, 0] < d.erased[:, 2], lambda p, d: erase(p, d.erased, d.seeds)),
)
"""Which images a change is for, and the change."""
