"""The training layer: smooth L1 loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from edgekd.distill.losses.label_means import mean_over_rows
from edgekd.distill.task import TrainingTask, Trait
from edgekd.recipe import Balance


class Training(TrainingTask):
    """One output; nothing is softened."""

    traits = frozenset({Trait.IMAGE_LEVEL})

    def outputs(self, classes: Sequence[str]) -> int:
        """The number."""
        return 1

    def hard_label_loss(
        self,
        outputs: Tensor,
        targets: Tensor,
        weights: Tensor,
        smoothing: float,
        shares: Tensor | None = None,
    ) -> Tensor:
        """Smooth L1 of outputs [B, 1] and targets [B, 1]; weights and smoothing have no effect."""
        losses = functional.smooth_l1_loss(
            outputs.float(), targets.float(), beta=0.05, reduction="none"
        )
        return mean_over_rows(losses, shares)

    def class_weights(self, counts: Sequence[int], images: int, balance: Balance) -> Tensor:
        """There is nothing to balance."""
        return torch.ones(1)

    def sampling_weights(
        self, targets: NDArray[Any], counts: Sequence[int], balance: Balance
    ) -> Tensor:
        """Every image equally often."""
        return torch.ones(len(targets), dtype=torch.float64)
