"""The architecture of a state dict: the one that the user names, or the only one that fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from edgekd.errors import InputError
from edgekd.models.importing.signatures import (
    Shapes,
    architectures_with,
    shapes_of_architecture,
    signature,
)
from edgekd.models.importing.states import State, below, prefixes_of
from edgekd.models.libraries import is_own_class
from edgekd.models.network import create_network

__all__ = ["Fitted", "fit_architecture", "guess_architecture"]

_CLASSES = 7  # of the shapes in `signatures`
_SHOWN = 8
"""Architectures that a message lists."""
_COUNTER = "num_batches_tracked"
_BUFFERS = ("relative_position_index", "attn_mask", _COUNTER)
"""Tensors that follow from the architecture, and that a state dict may lack."""


@dataclass(frozen=True)
class Fitted:
    """A network with the weights of a state dict.

    Attributes:
        arch: Its architecture.
        network: The network in evaluation mode.
        state: The weights, under the names of the architecture.
        notes: How it was found, for people.
    """

    arch: str
    network: nn.Module
    state: State
    notes: tuple[str, ...] = ()


def fit_architecture(
    state: State, arch: str, options: Mapping[str, Any], prefix: str | None = None
) -> Fitted:
    """The network of an architecture with the weights of a state dict.

    Args:
        state: The weights, perhaps under a prefix and with others beside them.
        arch: The architecture.
        options: Further arguments of its constructor.
        prefix: The prefix, where the user names it.

    Raises:
        InputError: It does not fit, or several parts of the state do.
    """
    shapes = _shapes(arch, options)
    chosen = _part_for(state, shapes, arch, prefix)
    width = _width(chosen.tensors, shapes)
    if width is None:
        raise _misfit(chosen, shapes, arch)
    network = create_network(arch, width, dict(options))
    _load(network, chosen, arch)
    return Fitted(arch, network.eval(), chosen)


def guess_architecture(state: State, side: int = 224) -> Fitted:
    """The network of the only architecture that a state dict fits.

    Several whose networks compute the same are one: the first is taken, and the others named.

    Args:
        state: The weights.
        side: Side of the images that tell networks apart, in pixels.

    Raises:
        InputError: None fits, or several that compute different things.
    """
    fitting = _fitting(state)
    if not fitting:
        first = ", ".join(list(state.tensors)[:3])
        message = f"no architecture of timm or torchvision has these {len(state.tensors)} tensors"
        hint = "name it with --arch (and --kwargs), or your class with --arch package.module:Class"
        raise InputError(f"{message} ({first}, …)", hint)
    alike = _alike(fitting, side)
    if len(alike) < len(fitting):
        names = [each.arch for each in fitting]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        message = f"its keys and shapes fit {', '.join(names[:_SHOWN])}{more}, which differ"
        raise InputError(message, "name the right one with --arch")
    others = ", ".join(each.arch for each in alike[1:])
    means = f" ({others} computes the same)" if others else ""
    note = f"architecture: {alike[0].arch}, the only one that fits its keys and shapes{means}"
    return Fitted(alike[0].arch, alike[0].network, alike[0].state, (note,))


def _fitting(state: State) -> list[Fitted]:
    fitting = []
    for prefix in prefixes_of(list(state.tensors)):
        part = below(state, prefix)
        shapes = {name: tuple(tensor.shape) for name, tensor in part.tensors.items()}
        for arch in architectures_with(signature(shapes)):
            try:
                fitting.append(replace(fit_architecture(part, arch, {}, ""), state=part))
            except InputError:
                continue
    return fitting


def _alike(fitting: Sequence[Fitted], side: int) -> list[Fitted]:
    """Those that compute the same as the first."""
    if len(fitting) == 1:
        return list(fitting)
    images = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    outputs = [_outputs(each.network, images) for each in fitting]
    first = outputs[0]
    return [
        each
        for each, output in zip(fitting, outputs, strict=True)
        if first is not None and output is not None and torch.allclose(output, first, atol=1e-4)
    ] or list(fitting[:1])


def _outputs(network: nn.Module, images: Tensor) -> Tensor | None:
    try:
        with torch.no_grad():
            outputs: Tensor = network(images)
    except Exception:  # a network of another size of images
        return None
    return outputs


def _shapes(arch: str, options: Mapping[str, Any]) -> Shapes:
    if not is_own_class(arch):
        return shapes_of_architecture(arch, options)
    network = create_network(arch, _CLASSES, dict(options))
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def _part_for(state: State, shapes: Shapes, arch: str, prefix: str | None) -> State:
    """The part of a state that has the names of an architecture.

    Raises:
        InputError: No part has, or several have.
    """
    needed = {name for name in shapes if not name.endswith(_BUFFERS)}
    if prefix is not None:
        return below(state, prefix if not prefix or prefix.endswith(".") else f"{prefix}.")
    parts = [below(state, each) for each in prefixes_of(list(state.tensors))]
    whole = [part for part in parts if needed <= part.tensors.keys()]
    if len(whole) > 1:
        names = ", ".join(part.prefix or "(none)" for part in whole)
        message = f"several parts of it are a {arch}, with the prefixes {names}"
        raise InputError(message, "name the right one with --weights PREFIX")
    return whole[0] if whole else max(parts, key=lambda part: len(needed & part.tensors.keys()))


def _width(tensors: Mapping[str, Tensor], shapes: Shapes) -> int | None:
    """The number of classes with which an architecture has these shapes; None if there is none."""
    widths = {_CLASSES}
    for name, shape in shapes.items():
        if name.endswith(_BUFFERS):
            continue
        if name not in tensors:
            return None
        actual = tuple(tensors[name].shape)
        if actual == tuple(shape):
            continue
        if not shape or shape[0] != _CLASSES or actual[1:] != tuple(shape[1:]) or not actual:
            return None
        widths.add(actual[0])
    widths = widths - {_CLASSES} or widths
    return widths.pop() if len(widths) == 1 else None


def _misfit(state: State, shapes: Shapes, arch: str) -> InputError:
    """What does not fit, by the first tensor of each kind."""
    missing = [name for name in shapes if name not in state.tensors and not name.endswith(_BUFFERS)]
    other = [
        name
        for name, shape in shapes.items()
        if name in state.tensors
        and tuple(state.tensors[name].shape) != tuple(shape)
        and not (shape and shape[0] == _CLASSES)
    ]
    flaws = [f"{len(missing)} tensors are missing ({missing[0]} first)"] if missing else []
    if other:
        actual, expected = list(state.tensors[other[0]].shape), list(shapes[other[0]])
        flaws.append(f"{other[0]} is {actual}, where {arch} has {expected}")
    message = f"the weights are not those of {arch}: {'; '.join(flaws) or 'its head differs'}"
    return InputError(message, "name another --arch, or its options with --kwargs")


def _load(network: nn.Module, state: State, arch: str) -> None:
    """Load the weights; tensors that follow from the architecture may be missing."""
    result = network.load_state_dict(dict(state.tensors), strict=False)
    missing = [name for name in result.missing_keys if not name.endswith(_BUFFERS)]
    surplus = [name for name in result.unexpected_keys if not name.endswith(_BUFFERS)]
    if missing or (surplus and not _is_beside(surplus, network)):
        names = missing or surplus
        fault = "are missing" if missing else "are none of its own"
        message = f"the weights are not those of {arch}: {len(names)} tensors {fault} ({names[0]})"
        raise InputError(message, "name another --arch, or its options with --kwargs")


def _is_beside(names: Sequence[str], network: nn.Module) -> bool:
    """Whether tensors belong to something else than the network: none begins as its own do."""
    own = {name.partition(".")[0] for name in network.state_dict()}
    return all(name.partition(".")[0] not in own for name in names)
