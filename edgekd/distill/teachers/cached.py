"""A teacher's outputs for fixed views, looked up instead of computed."""

from __future__ import annotations

import torch
from torch import Tensor

from edgekd.distill.teachers.soft_labels import SoftLabels
from edgekd.models.features import Features

__all__ = ["CachedOutputs"]

_ON_DEVICE = 256 * 2**20
"""Most bytes of a table that is kept on the device of the training."""


class CachedOutputs:
    """Outputs, and pooled vectors where they are kept, of K views of the training images.

    Args:
        labels: Soft labels of the fixed views.
        images: N, the number of images in the data set.
    """

    def __init__(self, labels: SoftLabels, images: int) -> None:
        self.labels = labels
        self.views = labels.logits.shape[1]
        row_of = torch.full((images,), -1, dtype=torch.int64)
        row_of[labels.indices] = torch.arange(len(labels.indices))
        self._tables = {"rows": row_of, "logits": labels.logits.flatten(0, 1)}
        if labels.pooled is not None:
            self._tables["pooled"] = labels.pooled.flatten(0, 1)

    def outputs(self, indices: Tensor, views: Tensor) -> Tensor:
        """Outputs [B, …] for views [B] of images by their positions in the data set [B]."""
        return self._looked_up("logits", indices, views)

    def features(self, indices: Tensor, views: Tensor) -> Features:
        """Pooled vectors and outputs for views; feature maps [B, 0, 0, 0] are not kept."""
        pooled = self._looked_up("pooled", indices, views)
        nothing = pooled.new_zeros(len(pooled), 0, 0, 0)
        return Features(nothing, pooled, self.outputs(indices, views))

    def _looked_up(self, name: str, indices: Tensor, views: Tensor) -> Tensor:
        table = self._near(name, indices.device)
        rows = self._near("rows", indices.device)[indices] * self.views + views
        return table[rows.to(table.device)].to(indices.device)

    def _near(self, name: str, device: torch.device) -> Tensor:
        """A table, moved once to the device of the training unless it is too big."""
        table = self._tables[name]
        if table.device != device and table.nbytes <= _ON_DEVICE:
            self._tables[name] = table = table.to(device)
        return table
