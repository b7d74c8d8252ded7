"""Logit adjustment: Menon, Jayasumana, Rawat, Jain, Veit, Kumar 2021, "Long-tail learning via logit
adjustment" (ICLR; arXiv 2007.07314).

In training τ·log π is added to the logits, π being the share of each class; the network is used
without it. What it then says is adjusted to classes that are equally frequent.
"""

from __future__ import annotations

from torch import Tensor

from edgekd.distill.losses.precision import full_precision

__all__ = ["adjusted_logits", "class_log_prior", "finding_log_odds"]


@full_precision
def adjusted_logits(logits: Tensor, adjustment: Tensor) -> Tensor:
    """The logits that the hard-label loss sees in training (equation 10): f(x) + τ·log π.

    Args:
        logits: f(x), [B, K].
        adjustment: τ·log π, [K].
    """
    return logits + adjustment.to(logits.dtype)


@full_precision
def class_log_prior(labels: Tensor, classes: int, draws: Tensor) -> Tensor:
    """The log-prior of each class: log π, its share of the images drawn, float32 [K].

    A class without images counts as one average image, since log 0 has no gradient.

    Args:
        labels: Class index of each training image [N].
        classes: K.
        draws: How often each image is drawn, relative to the others [N].
    """
    draws = draws.double()
    drawn = draws.new_zeros(classes).index_add_(0, labels, draws)
    return (drawn / draws.sum()).clamp(min=1.0 / len(labels)).log().float()


@full_precision
def finding_log_odds(present: Tensor, draws: Tensor) -> Tensor:
    """The log-odds of each finding: log π/(1 − π), π its share of the images drawn, float32 [K].

    The paper's adjustment for the two classes of a finding, present and absent, as the difference
    of their logits. A finding that is in no image, or in all, counts as if it were not in one.

    Args:
        present: 0 or 1, [N, K].
        draws: How often each image is drawn, relative to the others [N].
    """
    draws = draws.double()
    share = (draws[:, None] * present.double()).sum(dim=0) / draws.sum()
    least = 1.0 / max(len(present), 2)
    return share.clamp(least, 1.0 - least).logit().float()
