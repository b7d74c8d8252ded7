"""Modules that are used in training alone: map adapters and projection heads."""

from __future__ import annotations

from torch import nn

from edgekd.errors import InputError
from edgekd.models.features import Features

__all__ = ["map_adapter", "projection_head"]


def map_adapter(student: Features, teacher: Features) -> nn.Sequential:
    """Maps a student's last map to the teacher's channels and size: convolution, norm, ReLU.

    1×1 for equal sizes; 3×3 of stride 2 from twice the size; transposed 4×4 of stride 2 from half
    of it; else a convolution without padding whose kernel is the difference plus one.

    Args:
        student: Features of one image.
        teacher: Features of one image.

    Raises:
        InputError: The student's map is smaller, and not half the teacher's.

    Source: the released code of Wang et al. 2023 (SSD-KD).
    """
    source, target = student.features.shape, teacher.features.shape
    conv = _convolution(source[1], target[1], source[-1], target[-1])
    return nn.Sequential(conv, nn.BatchNorm2d(target[1]), nn.ReLU())


def _convolution(channels: int, target_channels: int, size: int, target_size: int) -> nn.Module:
    if size == target_size:
        return nn.Conv2d(channels, target_channels, 1)
    if size == 2 * target_size:
        return nn.Conv2d(channels, target_channels, 3, stride=2, padding=1)
    if 2 * size == target_size:
        return nn.ConvTranspose2d(channels, target_channels, 4, stride=2, padding=1)
    if size > target_size:
        return nn.Conv2d(channels, target_channels, size - target_size + 1)
    message = f"the student's map is {size}×{size}, the teacher's {target_size}×{target_size}"
    hint = "train both at one image size, with networks of like stride, or set `channel` to 0"
    raise InputError(message, hint)


def projection_head(width: int) -> nn.Sequential:
    """Linear, ReLU, Linear of equal widths, on the pooled vector (as in SSD-KD and SSKD)."""
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
