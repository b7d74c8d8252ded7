"""Averages of the outputs of several networks, or of one network for several views."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["mean_logits", "mean_sigmoid", "mean_softmax"]


def mean_logits(outputs: Tensor, weights: Tensor) -> Tensor:
    """Σ_m w_m·z_m in float32 or wider.

    Args:
        outputs: Logits [M, B, …].
        weights: w ≥ 0 with sum 1 [M].

    Returns:
        Logits [B, …].
    """
    wide = _wide(outputs)
    return (weights.to(wide).reshape(-1, *[1] * (wide.ndim - 1)) * wide).sum(dim=0)


def mean_softmax(outputs: Tensor, weights: Tensor) -> Tensor:
    """Log Σ_m w_m·softmax(z_m), whose softmax is the averaged probability.

    Args:
        outputs: Logits [M, B, K] of exclusive classes.
        weights: w ≥ 0 with sum 1 [M].

    Returns:
        Log probabilities [B, K] in float32 or wider.
    """
    return _log_mean(_wide(outputs).log_softmax(-1), weights)


def mean_sigmoid(outputs: Tensor, weights: Tensor) -> Tensor:
    """Logit Σ_m w_m·sigmoid(z_m), whose sigmoid is the averaged probability.

    Args:
        outputs: Logits [M, B, K], each of a probability of its own.
        weights: w ≥ 0 with sum 1 [M].

    Returns:
        Logits [B, K] in float32 or wider.
    """
    wide = _wide(outputs)
    return _log_mean(F.logsigmoid(wide), weights) - _log_mean(F.logsigmoid(-wide), weights)


def _log_mean(logs: Tensor, weights: Tensor) -> Tensor:
    """Log Σ_m w_m·exp(l_m) over the first dimension."""
    shape = (len(weights), *[1] * (logs.ndim - 1))
    return torch.logsumexp(logs + weights.to(logs).log().reshape(shape), dim=0)


def _wide(outputs: Tensor) -> Tensor:
    return outputs.to(torch.promote_types(outputs.dtype, torch.float32))
