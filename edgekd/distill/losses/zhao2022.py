"""Decoupled distillation: Zhao, Cui, Song, Qiu, Liang 2022, "Decoupled Knowledge Distillation"
(CVPR; arXiv 2203.08679).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from edgekd.distill.losses.hinton2015 import softened, softened_kl, squared_mean
from edgekd.distill.losses.precision import full_precision

__all__ = ["log_target_pair", "non_target_kl", "target_kl"]


@full_precision
def target_kl(
    student: Tensor, teacher: Tensor, targets: Tensor, temperature: float | Tensor
) -> Tensor:
    """TCKD: T²·KL of the softened pair (target class, all others) (section 3.1).

    Args:
        student: Logits [B, K].
        teacher: Logits [B, K]; no gradient flows to them.
        targets: Class indices [B].
        temperature: T, or that of each sample [B].
    """
    log_q = log_target_pair(softened(student, temperature), targets)
    log_p = log_target_pair(softened(teacher.detach(), temperature), targets)
    divergence = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(dim=1)
    return squared_mean(divergence, temperature)


@full_precision
def non_target_kl(
    student: Tensor, teacher: Tensor, targets: Tensor, temperature: float | Tensor
) -> Tensor:
    """NCKD: T²·KL of the softened outputs among the classes that are not the target.

    Args:
        student: Logits [B, K].
        teacher: Logits [B, K]; no gradient flows to them.
        targets: Class indices [B].
        temperature: T, or that of each sample [B].
    """
    return softened_kl(
        _without_target(student, targets), _without_target(teacher, targets), temperature
    )


def _without_target(logits: Tensor, targets: Tensor) -> Tensor:
    """Logits [B, K − 1] without the target's."""
    columns = torch.arange(logits.shape[1] - 1, device=logits.device)
    return logits.gather(1, columns + (columns >= targets[:, None]))


@full_precision
def log_target_pair(logits: Tensor, targets: Tensor) -> Tensor:
    """Log-probabilities [B, 2] of the target [B] and of all others, of logits [B, K]."""
    everything = logits.logsumexp(dim=1, keepdim=True)
    rest = _without_target(logits, targets).logsumexp(dim=1, keepdim=True)
    return torch.cat((logits.gather(1, targets[:, None]), rest), dim=1) - everything
