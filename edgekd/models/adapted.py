"""Networks from elsewhere, made to take and give what edgekd's own networks do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgekd.errors import InputError
from edgekd.models.card import Gives, InputCard, OutputCard
from edgekd.models.wrapped import Wrapped

__all__ = ["Adapted", "adapted", "outputs_in"]


class Adapted(Wrapped):
    """Takes normalised float32 [B, 3, S, S] in RGB and gives logits [B, K] of the card's classes.

    The input's colours and dimensions are put in the network's order. What it gives becomes
    logits: of probabilities their logarithms. Several of its outputs that count for one class are
    summed as probabilities; of those that are dropped, the probability goes to the others.

    Args:
        network: The network as it is.
        takes: How it takes images.
        gives: What it gives.
        classes: The classes K in the order that they are to have.
    """

    def __init__(
        self, network: nn.Module, takes: InputCard, gives: OutputCard, classes: Sequence[str]
    ) -> None:
        super().__init__(network)
        self.takes = takes
        self.gives = gives
        names = [gives.classes[name] for name in gives.names]
        self._members = tuple(
            tuple(place for place, name in enumerate(names) if name == each) for each in classes
        )

    def input_of(self, images: Tensor) -> Tensor:
        """What the network is given for normalised images [B, 3, S, S]."""
        if self.takes.channels == "BGR":  # slices, which every engine has
            images = torch.cat([images[:, 2:], images[:, 1:2], images[:, :1]], dim=1)
        return images.permute(0, 2, 3, 1) if self.takes.layout == "NHWC" else images

    def answer_of(self, outputs: Any) -> Tensor:
        """Logits [B, K] of what the network gives."""
        logits = _logits(outputs_in(outputs, self.gives.key), self.gives.gives)
        if self._members == tuple((place,) for place in range(logits.shape[1])):
            return logits
        return torch.cat([_together(logits, members) for members in self._members], dim=1)


def adapted(
    network: nn.Module, takes: InputCard, gives: OutputCard, classes: Sequence[str]
) -> nn.Module:
    """The network itself where it takes and gives what edgekd's own do, else with an adapter."""
    plain_input = takes.channels == "RGB" and takes.layout == "NCHW"
    if plain_input and gives.plain:
        return network
    return Adapted(network, takes, gives, classes)


def outputs_in(answer: Any, key: str) -> Tensor:
    """The tensor of outputs in the answer of a network.

    Args:
        answer: A tensor, or a mapping, a structure or a sequence of tensors.
        key: Its name or position there; "" for a tensor itself.

    Raises:
        InputError: There is none of that name.
    """
    if isinstance(answer, Tensor) and not key:
        return answer
    try:
        outputs = answer[int(key)] if key.isdigit() else _named(answer, key)
    except (LookupError, AttributeError, TypeError):
        outputs = None
    if not isinstance(outputs, Tensor):
        message = f"the network gives a {type(answer).__name__}, and no outputs {key or 'in it'}"
        raise InputError(message, "take a network whose outputs are one tensor")
    return outputs


def _named(answer: Any, key: str) -> Any:
    return answer[key] if isinstance(answer, Mapping) else getattr(answer, key)


def _logits(outputs: Tensor, gives: Gives) -> Tensor:
    """Logits [B, K] in float32 or wider of outputs of one of the kinds."""
    wide = outputs.to(torch.promote_types(outputs.dtype, torch.float32))
    wide = wide.reshape(len(wide), -1)
    if gives == "probabilities":
        return wide.clamp_min(torch.finfo(wide.dtype).tiny).log()
    if gives in ("probability", "sigmoids"):
        wide = wide.double().clamp(1e-12, 1 - 1e-12).logit().to(wide.dtype)
    if gives in ("logit", "probability"):
        return torch.cat([-F.softplus(wide), -F.softplus(-wide)], dim=1)
    return wide


def _together(logits: Tensor, members: tuple[int, ...]) -> Tensor:
    """The logit [B, 1] of the summed probability of some outputs."""
    chosen = [logits[:, place : place + 1] for place in members]
    if len(chosen) == 1:
        return chosen[0]
    return torch.logsumexp(torch.cat(chosen, dim=1), dim=1, keepdim=True)
