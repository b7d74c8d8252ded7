"""Networks by their names in timm, with random or pretrained weights."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from edgekd.errors import InputError
from edgekd.models import imagenet
from edgekd.recipe import ModelSection

__all__ = ["BuiltNetwork", "build_network", "count_macs", "count_params", "create_network"]

_HALF = (0.5, 0.5, 0.5)
_HEADS = ("classifier.", "fc.", "head.")
_ELSEWHERE = {
    "num_classes": "the data set says how many classes there are",
    "pretrained": "`pretrained` stands beside `options`",
    "checkpoint_path": "`pretrained` beside `options` names the file of the weights",
    "pretrained_cfg": "`pretrained`, `mean` and `std` stand beside `options`",
    "pretrained_cfg_overlay": "`pretrained`, `mean` and `std` stand beside `options`",
    "cache_dir": "`pretrained` beside `options` names the file of the weights",
}
"""Arguments of timm's constructor that a recipe sets elsewhere, and where."""


@dataclass(frozen=True)
class BuiltNetwork:
    """A network and the normalisation that its initial weights expect (pixels scaled to 0…1)."""

    network: nn.Module
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def create_network(arch: str, classes: int, options: dict[str, Any] | None = None) -> nn.Module:
    """A network with random weights.

    Args:
        arch: Name in timm.
        classes: Number of outputs.
        options: Further arguments of timm's constructor.

    Raises:
        InputError: timm has no such architecture (the nearest names are suggested), refuses the
            options, or one of them is not an option of the network.
    """
    if not timm.is_model(arch):
        near = difflib.get_close_matches(arch, timm.list_models(), n=3)
        hint = f"did you mean {', '.join(near)}?" if near else "see timm.list_models()"
        raise InputError(f"timm has no architecture {arch!r}", hint)
    for name in _ELSEWHERE.keys() & (options or {}).keys():
        message = f"`{name}` is no option of {arch}: {_ELSEWHERE[name]}"
        raise InputError(message, f"remove `{name}` from the model's `options`")
    try:
        network: nn.Module = timm.create_model(arch, num_classes=classes, **(options or {}))
    except Exception as error:  # timm's constructors raise exceptions of many types
        why = " ".join(str(error).split()) or type(error).__name__
        message = f"{arch} cannot be made with the options {options}: {why}"
        raise InputError(message, "correct `options` in the recipe") from error
    return network


def build_network(section: ModelSection, classes: int) -> BuiltNetwork:
    """The network of a recipe's `teacher.model` or `student.model`, with `classes` outputs.

    `pretrained` is one of `none`; `package` (ImageNet weights that an installed package carries);
    `hub` (timm downloads them); or the path of a safetensors file under timm's names.
    """
    network = create_network(section.arch, classes, section.options)
    _calm_head(network)
    mean, std = section.mean or _HALF, section.std or _HALF
    if section.pretrained == "package":
        _load_backbone(network, imagenet.package_weights(section.arch, network), section.arch)
    elif section.pretrained == "hub":
        mean, std = _from_hub(network, section, classes)
    elif section.pretrained != "none":
        _load_backbone(network, _file_weights(Path(section.pretrained)), section.pretrained)
    return BuiltNetwork(network, mean, std)


def count_params(network: nn.Module) -> int:
    """Number of parameters."""
    return sum(parameter.numel() for parameter in network.parameters())


def count_macs(network: nn.Module, image_size: int) -> int:
    """Multiply-accumulates of one image in convolutions and matrix products."""
    training = network.training
    network.eval()
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network(torch.zeros(1, 3, image_size, image_size))
    network.train(training)
    return int(counter.get_total_flops()) // 2  # torch counts a multiply-add as two


def _calm_head(network: nn.Module) -> None:
    """Start the classifier near zero.

    timm's EfficientNet family initialises it at a scale of 1/√classes, which for a handful of
    classes gives initial logits of ±5 and costs a short training its first epochs. The standard
    deviation of 0.01 is that of torchvision's MobileNetV2.
    """
    head = network.get_classifier()  # type: ignore[operator]
    if isinstance(head, nn.Linear):
        nn.init.normal_(head.weight, std=0.01)
        nn.init.zeros_(head.bias)


def _file_weights(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except FileNotFoundError:
        message = f"there are no pretrained weights at {path}"
        hint = "`pretrained` is none, package, hub, or the path of a .safetensors file"
        raise InputError(message, hint) from None
    except (SafetensorError, OSError) as error:
        message = f"the pretrained weights {path} cannot be read: {error}"
        raise InputError(message, "copy the file again") from error


def _load_backbone(network: nn.Module, weights: dict[str, Tensor], source: str) -> None:
    """Load all weights except those of the classifier; every other tensor must fit."""
    state = network.state_dict()
    # Only batch norms without momentum read this counter; other frameworks do not store it.
    backbone = {
        key: tensor
        for key, tensor in state.items()
        if not key.startswith(_HEADS) and not key.endswith("num_batches_tracked")
    }
    wrong = [
        key
        for key, tensor in backbone.items()
        if key not in weights or weights[key].shape != tensor.shape
    ]
    if wrong:
        message = f"{source} does not fit: {len(wrong)} tensors are missing or of another shape"
        raise InputError(f"{message} (first: {wrong[0]})", "check `arch` and `options`")
    network.load_state_dict({key: weights[key] for key in backbone}, strict=False)


def _from_hub(
    network: nn.Module, section: ModelSection, classes: int
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    try:
        donor: Any = timm.create_model(
            section.arch, pretrained=True, num_classes=classes, **section.options
        )
    except Exception as error:  # the hub's client raises many types without a network
        message = f"the hub's weights of {section.arch} could not be fetched: {error}"
        hint = "use `pretrained: package`, a file, or connect this machine"
        raise InputError(message.splitlines()[0], hint) from error
    network.load_state_dict(donor.state_dict())
    config = donor.pretrained_cfg
    return tuple(config["mean"]), tuple(config["std"])
