"""Networks by the names of their architectures, with random or pretrained weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from edgekd.errors import InputError
from edgekd.models import imagenet
from edgekd.models.card import CARD, ModelCard, read_card
from edgekd.models.libraries import CHECKPOINT, library_of
from edgekd.models.libraries.timm_networks import timm
from edgekd.recipe import ModelSection

__all__ = [
    "BuiltNetwork",
    "build_network",
    "checkpoint_of",
    "classifier_of",
    "count_macs",
    "count_params",
    "create_network",
    "section_of",
]

_HALF = (0.5, 0.5, 0.5)
_HEADS = ("classifier.", "fc.", "head.", "heads.", "last_linear.")


@dataclass(frozen=True)
class BuiltNetwork:
    """A network and the normalisation that its initial weights expect (pixels scaled to 0…1).

    Attributes:
        network: The network.
        mean: Mean of each channel.
        std: Standard deviation of each channel.
        notes: What of the initial weights was not used, for people.
    """

    network: nn.Module
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    notes: tuple[str, ...] = ()


def create_network(arch: str, classes: int, options: dict[str, Any] | None = None) -> nn.Module:
    """A network with random weights.

    Args:
        arch: Name in timm; `torchvision:NAME`, `transformers:CLASS`, `edgekd:NAME`, or
            `package.module:Class`.
        classes: Number of outputs.
        options: Further arguments of its constructor.

    Raises:
        InputError: There is no such architecture (the nearest names are suggested), it refuses the
            options, one of them is none of the network's, or its code is not trusted.
        MissingDependencyError: Its library is not installed.
    """
    architecture = library_of(arch)
    return architecture.library.create(architecture.name, classes, options or {})


def build_network(section: ModelSection, classes: int) -> BuiltNetwork:
    """The network of a recipe's `teacher.model` or `student.model`, with `classes` outputs.

    `pretrained` is one of `none`; `package` (ImageNet weights that an installed package carries);
    `hub` (timm downloads them); or the path of a safetensors file under the architecture's own
    names, or of a checkpoint of edgekd. The head of a file is used where it has as many outputs.
    """
    network = create_network(section.arch, classes, section.options)
    if folder := checkpoint_of(section):
        card = read_card(folder)
        return BuiltNetwork(network, card.mean, card.std)
    _calm_head(network)
    mean, std = section.mean or _HALF, section.std or _HALF
    if section.pretrained == "package":
        _load_backbone(network, imagenet.package_weights(section.arch, network), section.arch)
    elif section.pretrained == "hub":
        mean, std = _from_hub(network, section, classes)
    elif section.pretrained != "none":
        return _from_file(network, section)
    return BuiltNetwork(network, mean, std)


def section_of(folder: str, card: ModelCard, image_size: int) -> ModelSection:
    """The section that stands for a trained network where one of its architecture would do.

    Args:
        folder: Folder of its checkpoint.
        card: Its card.
        image_size: The size in pixels that it is to be used at, beside a student.
    """
    if card.own_side(image_size) is None:
        return ModelSection(arch=card.arch, options=card.arch_options)
    return ModelSection(arch=f"{CHECKPOINT}:{folder}")


def checkpoint_of(section: ModelSection) -> Path | None:
    """The checkpoint that a section stands for as a whole; None for an architecture."""
    prefix, colon, folder = section.arch.partition(":")
    return Path(folder) if colon and prefix == CHECKPOINT else None


def classifier_of(network: nn.Module) -> nn.Module:
    """The last layer, whose outputs are those of the network; the network itself without one."""
    if hasattr(network, "get_classifier"):
        head: nn.Module = network.get_classifier()  # type: ignore[operator]
        return head
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    return layers[-1] if layers else network


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
    head = network.get_classifier() if hasattr(network, "get_classifier") else None  # type: ignore[operator]
    if isinstance(head, nn.Linear):
        nn.init.normal_(head.weight, std=0.01)
        nn.init.zeros_(head.bias)


def _from_file(network: nn.Module, section: ModelSection) -> BuiltNetwork:
    """The network with the weights of a file, or of a checkpoint, whose normalisation it keeps."""
    place, mean, std = Path(section.pretrained), _HALF, _HALF
    if place.is_dir():
        card = _card_to_start_from(place, section)
        place, mean, std = place / card.weights, card.mean, card.std
    notes = _load_start(network, _file_weights(place), section.pretrained)
    return BuiltNetwork(network, section.mean or mean, section.std or std, notes)


def _card_to_start_from(folder: Path, section: ModelSection) -> ModelCard:
    """The card of a checkpoint whose weights a network starts from.

    Raises:
        InputError: It is none, or of another architecture.
    """
    card = read_card(folder)
    plain = card.takes is None or card.takes.channels == "RGB"
    if card.arch != section.arch or not plain or (card.gives and not card.gives.plain):
        kind = f"{card.arch} as it is" if card.arch == section.arch else section.arch
        message = f"the weights of {folder} are those of {card.arch}, and no start for {kind}"
        raise InputError(message, f"set `arch` to that of {folder / CARD}, or another `pretrained`")
    return card


def _file_weights(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except FileNotFoundError:
        message = f"there are no pretrained weights at {path}"
        hint = (
            "`pretrained` is none, package, hub, or the path of a .safetensors file or of a "
            "checkpoint; `edgekd import` makes one of other files"
        )
        raise InputError(message, hint) from None
    except (SafetensorError, OSError) as error:
        message = f"the pretrained weights {path} cannot be read: {error}"
        hint = "copy the file again; `edgekd import` reads other kinds than .safetensors"
        raise InputError(message, hint) from error


def _load_start(network: nn.Module, weights: dict[str, Tensor], source: str) -> tuple[str, ...]:
    """Load all weights, of the head those that fit; returns what of it was not used."""
    _load_backbone(network, weights, source)
    head = {key: old for key, old in network.state_dict().items() if key.startswith(_HEADS)}
    fitting = {
        key: weights[key]
        for key, old in head.items()
        if key in weights and weights[key].shape == old.shape
    }
    network.load_state_dict(fitting, strict=False)
    return () if len(fitting) == len(head) else (_unused_head(head, weights, source),)


def _unused_head(head: dict[str, Tensor], weights: dict[str, Tensor], source: str) -> str:
    here = next((len(tensor) for key, tensor in head.items() if key.endswith(".weight")), 0)
    there = [len(weights[key]) for key in head if key.endswith(".weight") and key in weights]
    if not there:
        return f"{source} has no head: that of the network starts from random weights"
    return (
        f"the head of {source} has {there[-1]} outputs, not {here}: it starts from random weights"
    )


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
