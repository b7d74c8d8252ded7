"""The training layer of classification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from edgekd.distill.losses import (
    balancing_class_weights,
    class_log_prior,
    class_weights,
    focal_loss,
    multi_weighted_focal_loss,
    softened_kl,
    weighted_cross_entropy,
)
from edgekd.distill.task import TrainingTask, Trait
from edgekd.distill.teachers.averaging import mean_softmax
from edgekd.recipe import Balance, Balancing, LossSection

__all__ = ["Training"]


class Training(TrainingTask):
    """One logit for each class; softmax cross-entropy."""

    traits = frozenset(Trait)

    def outputs(self, classes: Sequence[str]) -> int:
        """One logit for each class."""
        return len(classes)

    def hard_label_loss(
        self,
        outputs: Tensor,
        targets: Tensor,
        weights: Tensor,
        smoothing: float,
        shares: Tensor | None = None,
    ) -> Tensor:
        """Weighted cross-entropy of logits [B, K] and class indices [B]."""
        return weighted_cross_entropy(outputs, targets, weights, smoothing, shares)

    def focal_loss(
        self,
        outputs: Tensor,
        targets: Tensor,
        weights: Tensor,
        loss: LossSection,
        shares: Tensor | None = None,
    ) -> Tensor:
        """Softmax focal loss, or the multi-weighted one, of logits [B, K] and class indices [B]."""
        if loss.name == "focal":
            return focal_loss(outputs, targets, weights, loss.gamma, shares)
        return multi_weighted_focal_loss(outputs, targets, weights, loss.gamma, loss.beta, shares)

    def log_prior(self, targets: NDArray[Any], draws: Tensor, classes: int) -> Tensor:
        """See `edgekd.distill.losses.class_log_prior`."""
        return class_log_prior(torch.from_numpy(targets), classes, draws)

    def balancing_weights(self, counts: Sequence[int], images: int, balance: Balancing) -> Tensor:
        """See `edgekd.distill.losses.balancing_class_weights`."""
        return balancing_class_weights(counts, balance)

    def class_weights(self, counts: Sequence[int], images: int, balance: Balance) -> Tensor:
        """See `edgekd.distill.losses.class_weights`."""
        return class_weights(counts, balance)

    def sampling_weights(
        self, targets: NDArray[Any], counts: Sequence[int], balance: Balance
    ) -> Tensor:
        """The weight of each image's class."""
        return class_weights(counts, balance).double()[torch.from_numpy(targets)]

    def softened_loss(
        self,
        student: Tensor,
        teacher: Tensor,
        temperature: float | Tensor,
        weights: Tensor | None = None,
    ) -> Tensor:
        """See `edgekd.distill.losses.softened_kl`."""
        return softened_kl(student, teacher, temperature, weights)

    def sample_weights(self, targets: Tensor, weights: Tensor) -> Tensor:
        """The weight of each image's class [B]."""
        return weights[targets]

    def mean_probabilities(self, outputs: Tensor, weights: Tensor) -> Tensor:
        """See `edgekd.distill.teachers.averaging.mean_softmax`."""
        return mean_softmax(outputs, weights)
