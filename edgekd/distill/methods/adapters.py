"""Modules that exist only while a student learns: map adapters and projection heads."""

from __future__ import annotations

from torch import nn

from edgekd.errors import InputError
from edgekd.models.taps import Features

__all__ = ["map_adapter", "projection_head"]


def map_adapter(student: Features, teacher: Features) -> nn.Sequential:
    """Brings a student's last map to the teacher's channels and size: convolution, norm, ReLU.

    1×1 where the sizes agree; 3×3 of stride 2 from twice the size; transposed 4×4 of stride 2 from
    half of it; else a convolution without padding whose kernel is the difference plus one.

    Args:
        student: Taps of one image.
        teacher: Likewise.

    Raises:
        InputError: The student's map is smaller, and not half the teacher's.

    Source: the released code of Wang et al. 2023 (SSD-KD).
    """
    own, wanted = student.features.shape, teacher.features.shape
    conv = _convolution(own[1], wanted[1], own[-1], wanted[-1])
    return nn.Sequential(conv, nn.BatchNorm2d(wanted[1]), nn.ReLU())


def _convolution(channels: int, wanted: int, size: int, wanted_size: int) -> nn.Module:
    if size == wanted_size:
        return nn.Conv2d(channels, wanted, 1)
    if size == 2 * wanted_size:
        return nn.Conv2d(channels, wanted, 3, stride=2, padding=1)
    if 2 * size == wanted_size:
        return nn.ConvTranspose2d(channels, wanted, 4, stride=2, padding=1)
    if size > wanted_size:
        return nn.Conv2d(channels, wanted, size - wanted_size + 1)
    message = f"the student's map is {size}×{size}, the teacher's {wanted_size}×{wanted_size}"
    raise InputError(message, "choose networks of like stride, or switch the channel relation off")


def projection_head(width: int) -> nn.Sequential:
    """Linear, ReLU, Linear of one width, on the pooled vector (as in SSD-KD and SSKD)."""
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
