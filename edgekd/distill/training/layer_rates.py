"""Layer-wise decay of the learning rate: layers near the input, which are general, change less."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from edgekd.errors import InputError

__all__ = ["layer_scales"]


def layer_scales(modules: Sequence[nn.Module], decay: float) -> dict[nn.Parameter, float]:
    """The factor on the learning rate of each parameter of timm networks.

    The layers are those of timm's `group_matcher`; with L layers the one at depth l, counted from
    the input, has the factor decay^(L − 1 − l), so that the classifier's is 1. Parameters of other
    modules (adapters, embeddings) have none: they start from random weights.

    Source: Clark et al. 2020, "ELECTRA" (ICLR), appendix A; Bao et al. 2022, "BEiT" (ICLR).

    Args:
        modules: Modules that an optimiser updates.
        decay: Factor between a layer and the next; 1 for none.

    Raises:
        InputError: There is no network whose layers timm knows.
    """
    if decay == 1.0:
        return {}
    networks = [
        module
        for updated in modules
        for module in updated.modules()
        if hasattr(module, "group_matcher")
    ]
    if not networks:
        message = "`fit.layer_decay` needs a network whose layers timm knows, and there is none"
        raise InputError(message, "take it out of the recipe, or choose a network of timm")
    return {p: scale for network in networks for p, scale in _scales(network, decay).items()}


def _scales(network: Any, decay: float) -> dict[nn.Parameter, float]:
    from timm.models import group_parameters

    layers = group_parameters(network, network.group_matcher(coarse=False), reverse=True)
    deepest = max(layers.values())
    return {
        parameter: decay ** (deepest - layers.get(name, deepest))
        for name, parameter in network.named_parameters()
    }
