"""Networks around other networks: what goes in is changed, what comes out is changed, or both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

__all__ = ["Reordered", "Wrapped"]


class Wrapped(nn.Module):
    """A network around another one, of which it keeps all features.

    Args:
        network: The inner network.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Outputs for images [B, 3, S, S]."""
        return self.answer_of(self.network(self.input_of(images)))

    def input_of(self, images: Tensor) -> Tensor:
        """What the inner network is given for images [B, 3, S, S]."""
        return images

    def answer_of(self, outputs: Any) -> Tensor:
        """The outputs [B, …] for those of the inner network."""
        answer: Tensor = outputs
        return answer


class Reordered(Wrapped):
    """Gives the outputs of its network in another order.

    Args:
        network: Gives outputs [B, K].
        order: Their positions, in the order that they are to have.
    """

    def __init__(self, network: nn.Module, order: Sequence[int]) -> None:
        super().__init__(network)
        self.order = list(order)

    def answer_of(self, outputs: Tensor) -> Tensor:
        """The outputs [B, K] in the new order."""
        return outputs[:, self.order]
