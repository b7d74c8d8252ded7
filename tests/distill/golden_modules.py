"""Modules of the golden arrays."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgekd.models.features import Features


def taps(g: dict[str, Tensor], side: str) -> Features:
    return Features(g[f"feat_map_{side}"], g[f"pool_{side}"], g[f"logits_{side}"])


def load(module: nn.Module, *tensors: Tensor) -> nn.Module:
    """Copies tensors into a module's parameters, in their order."""
    with torch.no_grad():
        for parameter, tensor in zip(module.parameters(), tensors, strict=True):
            parameter.copy_(tensor)
    return module


def golden_adapter(g: dict[str, Tensor]) -> nn.Module:
    adapter = nn.Sequential(nn.Conv2d(10, 14, 1), nn.BatchNorm2d(14), nn.ReLU()).to(g["pool_s"])
    return load(adapter, g["conv_weight"], g["conv_bias"], g["bn_gamma"], g["bn_beta"]).train()


def golden_head(g: dict[str, Tensor], side: str) -> nn.Module:
    width = g[f"pool_{side}"].shape[1]
    layers = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
    parts = (g[f"head_{side}_{part}"] for part in ("w1", "b1", "w2", "b2"))
    return load(layers.to(g["pool_s"]), *parts)
