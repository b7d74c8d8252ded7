"""Whether a network can be trained as it is asked for: tried once, before anyone waits for data."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec
import timm
import torch
from torch import Tensor, nn

from edgekd.errors import InputError
from edgekd.models.network import create_network
from edgekd.recipe import ModelSection

__all__ = ["check_model", "unreached_parameters"]

_IMAGES = 2  # the fewest that batch statistics can be taken of
_ASK = "take another `arch`, other `options` or another `image_size`"


def check_model(model: ModelSection, classes: int, image_size: int) -> None:
    """Make the network and run it as training does, on images without content.

    Weights play no part in it, and the network is thrown away: what is random is drawn as if it
    had not been.

    Args:
        model: The recipe's section; its pretrained start is not read.
        classes: K, the number of outputs that are needed.
        image_size: S in pixels.

    Raises:
        InputError: timm refuses the options, the network does not take RGB images [N, 3, S, S], or
            does not give logits [N, K] of them; a change that helps is told where one was found.
    """
    _check(msgspec.json.encode(model), classes, image_size)


def unreached_parameters(network: nn.Module, image_size: int) -> list[str]:
    """Names of the parameters that the network's answers do not depend on.

    Args:
        network: Left in training mode, and with other batch statistics than before.
        image_size: S in pixels.
    """
    names, parameters = zip(*network.named_parameters(), strict=True)
    network.train().requires_grad_(True)
    with torch.enable_grad():
        total = network(torch.zeros(_IMAGES, 3, image_size, image_size)).sum()
    gradients = torch.autograd.grad(total, parameters, allow_unused=True)
    return [name for name, found in zip(names, gradients, strict=True) if found is None]


@lru_cache(maxsize=64)
def _check(model: bytes, classes: int, image_size: int) -> None:
    section = msgspec.json.decode(model, type=ModelSection)
    arch, options = section.arch, section.options
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
    """Why the network is of no use for training; None where it is."""
    images = torch.zeros(_IMAGES, 3, image_size, image_size)
    network = network.to(memory_format=torch.channels_last).train()
    try:
        with torch.no_grad():
            found = network(images.contiguous(memory_format=torch.channels_last))
    except Exception as error:  # networks raise nearly anything for what they do not take
        return " ".join(str(error).split()) or type(error).__name__
    wanted = [_IMAGES, classes]
    if not isinstance(found, Tensor):
        return f"it gives a {type(found).__name__} where one tensor {wanted} is needed"
    if list(found.shape) != wanted:
        return f"it gives {list(found.shape)} where {wanted} is needed, a number for each class"
    return None


def _remedy(arch: str, options: dict[str, Any], classes: int, image_size: int) -> str:
    """The first small change with which it can be trained, as a hint; "" where none was found."""
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
    own = config.input_size[-1] if config else image_size
    if own != image_size:
        yield options, own, f"set `image_size: {own}`, which {arch} is made for"
