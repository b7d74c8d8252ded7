"""The training layer of findings that may occur together in an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from edgekd.distill.losses import (
    balancing_finding_weights,
    binary_focal_loss,
    finding_log_odds,
    multi_weighted_binary_focal_loss,
    positive_weights,
    softened_binary_kl,
    weighted_binary_cross_entropy,
)
from edgekd.distill.losses.cross_entropy import POWER
from edgekd.distill.task import TrainingTask, Trait
from edgekd.distill.teachers.averaging import mean_sigmoid
from edgekd.recipe import Balance, Balancing, LossSection

__all__ = ["Training"]


class Training(TrainingTask):
    """One logit for each finding; sigmoid and binary cross-entropy."""

    traits = frozenset(
        {Trait.SOFTENED_OUTPUTS, Trait.IMAGE_LEVEL, Trait.FOCAL_LOSS, Trait.CLASS_PRIOR}
    )

    def outputs(self, classes: Sequence[str]) -> int:
        """One logit for each finding."""
        return len(classes)

    def hard_label_loss(
        self,
        outputs: Tensor,
        targets: Tensor,
        weights: Tensor,
        smoothing: float,
        shares: Tensor | None = None,
    ) -> Tensor:
        """Binary cross-entropy of logits [B, K], weighted where a finding is present."""
        return weighted_binary_cross_entropy(outputs, targets, weights, smoothing, shares)

    def focal_loss(
        self,
        outputs: Tensor,
        targets: Tensor,
        weights: Tensor,
        loss: LossSection,
        shares: Tensor | None = None,
    ) -> Tensor:
        """Binary focal loss, or the multi-weighted one, of logits [B, K] and findings [B, K]."""
        if loss.name == "focal":
            return binary_focal_loss(outputs, targets, weights, loss.gamma, shares)
        return multi_weighted_binary_focal_loss(
            outputs, targets, weights, loss.gamma, loss.beta, shares
        )

    def log_prior(self, targets: NDArray[Any], draws: Tensor, classes: int) -> Tensor:
        """See `edgekd.distill.losses.finding_log_odds`."""
        return finding_log_odds(torch.from_numpy(targets) > 0.5, draws)

    def balancing_weights(self, counts: Sequence[int], images: int, balance: Balancing) -> Tensor:
        """See `edgekd.distill.losses.balancing_finding_weights`."""
        return balancing_finding_weights(counts, images, balance)

    def class_weights(self, counts: Sequence[int], images: int, balance: Balance) -> Tensor:
        """See `edgekd.distill.losses.positive_weights`."""
        return positive_weights(counts, images, balance)

    def sampling_weights(
        self, targets: NDArray[Any], counts: Sequence[int], balance: Balance
    ) -> Tensor:
        """The inverse frequency of each image's rarest finding, to the power of the balance.

        Images without any finding count as one more finding.

        Source: the repeat factor of an image is the largest of its categories' (Gupta, Dollár,
        Girshick 2019, "LVIS", appendix).
        """
        present = torch.from_numpy(targets) > 0.5
        nothing = ~present.any(dim=1, keepdim=True)
        numbers = torch.tensor([*counts, int(nothing.sum())], dtype=torch.float64)
        raised = numbers.clamp(min=1) ** -POWER[balance]
        return (torch.cat((present, nothing), dim=1) * raised).amax(dim=1)

    def softened_loss(
        self,
        student: Tensor,
        teacher: Tensor,
        temperature: float | Tensor,
        weights: Tensor | None = None,
    ) -> Tensor:
        """See `edgekd.distill.losses.softened_binary_kl`."""
        return softened_binary_kl(student, teacher, temperature, weights)

    def sample_weights(self, targets: Tensor, weights: Tensor) -> Tensor:
        """The weight of each finding where it is present, else 1, [B, K]."""
        return torch.where(targets > 0.5, weights, torch.ones_like(weights))

    def mean_probabilities(self, outputs: Tensor, weights: Tensor) -> Tensor:
        """See `edgekd.distill.teachers.averaging.mean_sigmoid`."""
        return mean_sigmoid(outputs, weights)
