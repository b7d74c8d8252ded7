"""Class logits of a network whose head predicts subclasses."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate, groupby, pairwise

import torch
from torch import Tensor, nn

__all__ = ["SubclassSums", "start_even"]


class SubclassSums(nn.Module):
    """a_c = log Σ_{s∈c} exp z_s, so that σ(a)_c = Σ_{s∈c} σ(z)_s; always in float32 or wider.

    The argmax of a is the decision by summed probability, which need not be the class of the most
    probable subclass.

    Args:
        subclass_of: Class index of each subclass [S], class by class; each class has at least
            one. Empty for a network that predicts classes: its logits stay unchanged.

    Source: Sajedi & Plataniotis 2022, arXiv 2207.08063; Müller, Kornblith, Hinton 2020, "Subclass
    Distillation".
    """

    def __init__(self, subclass_of: Sequence[int]) -> None:
        super().__init__()
        ends = list(accumulate(len(list(members)) for _, members in groupby(subclass_of)))
        self._spans = list(pairwise([0, *ends])) if ends else []
        if list(subclass_of) != [c for c, (a, b) in enumerate(self._spans) for _ in range(a, b)]:
            raise ValueError(f"subclasses must be in the order of their classes: {subclass_of}")

    def forward(self, logits: Tensor) -> Tensor:
        """Class logits [B, K] of subclass logits [B, S]."""
        if not self._spans:
            return logits
        wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
        # Slices, because ONNX Runtime's tools fail on the several outputs of a split.
        return torch.cat([_log_sum(wide[:, start:end]) for start, end in self._spans], dim=1)


def _log_sum(logits: Tensor) -> Tensor:
    """Log-sum-exp after subtracting the greatest logit, which not every engine does itself."""
    if logits.shape[1] == 1:
        return logits
    greatest = logits.detach().amax(dim=1, keepdim=True)
    return greatest + (logits - greatest).exp().sum(dim=1, keepdim=True).log()


@torch.no_grad()
def start_even(head: nn.Module, subclass_of: Sequence[int]) -> None:
    """Subtract log |S_c| from each bias, so that all classes start with equal probability.

    Args:
        head: The classifier [S]; one without a bias is left as it is.
        subclass_of: Class index of each subclass [S].
    """
    bias = getattr(head, "bias", None)
    if isinstance(bias, Tensor):
        sizes = Counter(subclass_of)
        bias -= bias.new_tensor([math.log(sizes[index]) for index in subclass_of])
