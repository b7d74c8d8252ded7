"""Check of a recipe's network by one forward pass, before images are decoded."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from edgekd.errors import InputError
from edgekd.models.libraries.timm_networks import timm
from edgekd.models.network import checkpoint_of, create_network
from edgekd.recipe import ModelSection

__all__ = ["check_model", "unreached_parameters"]

_IMAGES = 2  # the fewest that batch statistics can be computed from
_ASK = "take another `arch`, other `options` or another `image_size`"


def check_model(model: ModelSection, classes: int, image_size: int) -> None:
    """Build the network and run it once in training mode, on black images.

    The network is discarded, and the state of the random generators is left as it was.

    Args:
        model: The recipe's section; pretrained weights are not read.
        classes: K, the number of outputs that are needed.
        image_size: S in pixels.

    Raises:
        InputError: Its library refuses the options, the network does not take RGB images
            [N, 3, S, S], or does not map them to [N, K]; the hint is a change that helps, if one is
            known.
    """
    _check(msgspec.json.encode(model), classes, image_size)


def unreached_parameters(network: nn.Module, image_size: int) -> list[str]:
    """Names of the parameters that the network's outputs do not depend on.

    Args:
        network: The network; it is left in training mode with changed batch statistics.
        image_size: S in pixels.
    """
    names, parameters = zip(*network.named_parameters(), strict=True)
    network.train().requires_grad_(True)
    with torch.enable_grad():
        total = network(torch.zeros(_IMAGES, 3, image_size, image_size)).sum()
    gradients = torch.autograd.grad(total, parameters, allow_unused=True)
    return [name for name, slope in zip(names, gradients, strict=True) if slope is None]


@lru_cache(maxsize=64)
def _check(model: bytes, classes: int, image_size: int) -> None:
    section = msgspec.json.decode(model, type=ModelSection)
    arch, options = section.arch, section.options
    if checkpoint_of(section):
        return  # it was run when it was trained or imported
    with torch.random.fork_rng(devices=[]):
        try:
            network = create_network(arch, classes, options)
        except InputError as error:
            helps = _remedy(arch, options, classes, image_size) or error.hint
            raise InputError(error.message, helps) from error
        why = _refusal(network, classes, image_size)
        if why is None:
            return
        helps = _remedy(arch, options, classes, image_size) or _ASK
    with_options = f" with the options {options}" if options else ""
    message = f"{arch}{with_options} cannot be trained on images of {image_size} px: {why}"
    raise InputError(message, helps)


def _refusal(network: nn.Module, classes: int, image_size: int) -> str | None:
    """Why the network cannot be trained; None if it can."""
    images = torch.zeros(_IMAGES, 3, image_size, image_size)
    network = network.to(memory_format=torch.channels_last).train()
    try:
        with torch.no_grad():
            outputs = network(images.contiguous(memory_format=torch.channels_last))
    except Exception as error:  # networks raise many types for inputs they do not take
        return " ".join(str(error).split()) or type(error).__name__
    expected = [_IMAGES, classes]
    if not isinstance(outputs, Tensor):
        return f"it gives a {type(outputs).__name__} where one tensor {expected} is needed"
    if list(outputs.shape) != expected:
        return f"it gives {list(outputs.shape)} where {expected} is needed, a number for each class"
    return None


def _remedy(arch: str, options: dict[str, Any], classes: int, image_size: int) -> str:
    """A hint: the first small change that makes the network trainable; "" if none is known."""
    for changed, size, hint in _changes(arch, options, image_size):
        try:
            network = create_network(arch, classes, changed)
        except InputError:
            continue
        if _refusal(network, classes, size) is None:
            return hint
    return ""


def _changes(
    arch: str, options: dict[str, Any], image_size: int
) -> Iterator[tuple[dict[str, Any], int, str]]:
    if not timm.is_model(arch):
        return
    for name in options:
        less = {key: value for key, value in options.items() if key != name}
        yield less, image_size, f"remove `{name}` from the model's `options`"
    fitting = options | {"img_size": image_size}
    yield fitting, image_size, f"add `img_size: {image_size}` to the model's `options`"
    config = timm.get_pretrained_cfg(arch)
    native = config.input_size[-1] if config else image_size
    if native != image_size:
        yield options, native, f"set `image_size: {native}`, which {arch} is made for"
