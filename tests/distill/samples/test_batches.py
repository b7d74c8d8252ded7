"""What the batches of a step give."""

from __future__ import annotations

import torch
from torch import Tensor

from edgekd.distill.methods import Batch


def test_pixels_are_augmented_once_and_only_when_asked_for():
    calls = []

    def change(pixels: Tensor) -> Tensor:
        calls.append(len(pixels))
        return pixels

    sample = Batch(torch.rand(2, 3, 4, 4), torch.zeros(2), torch.zeros(2), augment=change)
    assert calls == []
    assert sample.pixels is sample.pixels
    assert calls == [2]
