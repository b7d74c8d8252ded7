"""The pool of images that were made so far, from which a student learns."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from edgekd.distill.training.processes import gather_equal_rows

__all__ = ["ImagePool"]


class ImagePool(nn.Module):
    """Images that are part of the training checkpoints, in the order in which they were made.

    All processes have the same pool, with the images of each.

    Args:
        size: S.
        limit: Most images that are kept, the latest; 0 keeps all.
    """

    images: Tensor
    labels: Tensor

    def __init__(self, size: int, limit: int = 0) -> None:
        super().__init__()
        self.limit = limit
        self.register_buffer("images", torch.zeros(0, 3, size, size, dtype=torch.uint8))
        self.register_buffer("labels", torch.zeros(0, dtype=torch.int64))

    def __len__(self) -> int:
        """Number of images."""
        return len(self.images)

    @torch.no_grad()
    def add(self, pixels: Tensor, labels: Tensor) -> None:
        """Add images [B, 3, S, S] in 0…1, in 256 steps, with the classes that they were made for.

        Every process adds as many.
        """
        images = (pixels * 255.0).round().to(torch.uint8)
        self.images = self._latest(self.images, images)
        self.labels = self._latest(self.labels, labels)

    def _latest(self, earlier: Tensor, added: Tensor) -> Tensor:
        return torch.cat((earlier, gather_equal_rows(added)))[-self.limit :]

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Images float32 [count, 3, S, S] in 0…1, drawn with replacement."""
        rows = torch.randint(len(self), (count,), generator=generator)
        return self.images[rows.to(self.images.device)].float() / 255.0

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Take a stored pool whatever its length."""
        for name in ("images", "labels"):
            stored = state_dict.get(prefix + name)
            if stored is not None:
                empty = getattr(self, name).new_empty(stored.shape)
                setattr(self, name, empty)
        super()._load_from_state_dict(state_dict, prefix, *rest)
