"""What a network gives, found out by running it: how many outputs, and of which kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edgekd.errors import InputError
from edgekd.models.adapted import outputs_in
from edgekd.models.card import Gives, InputCard

__all__ = ["Answer", "answer_of"]

_IMAGES = 4
_CLOSE = 1e-3


@dataclass(frozen=True)
class Answer:
    """What a network gave for some images.

    Attributes:
        width: Number of its outputs.
        gives: Their kind, as far as the numbers show it.
        key: See `OutputCard`.
    """

    width: int
    gives: Gives
    key: str


def answer_of(network: nn.Module, size: int, takes: InputCard, file: Path) -> Answer:
    """Run a network on images of noise, of quite different brightness.

    Args:
        network: The network as it is.
        size: S in pixels.
        takes: How it takes images.
        file: Its file, for messages.

    Raises:
        InputError: It does not take such images, or gives no row of finite numbers for each.
    """
    answer = _run(network, _images(size, takes), file)
    key = _key(answer)
    outputs = outputs_in(answer, key).float()
    if outputs.ndim == 1:
        outputs = outputs[:, None]
    outputs = outputs.flatten(2).squeeze(-1) if outputs.ndim == 4 else outputs
    if outputs.ndim != 2 or len(outputs) != _IMAGES:
        message = f"the network of {file} gives {list(outputs.shape)} for {_IMAGES} images"
        raise InputError(message, "take a classifier, which gives a row of numbers for each image")
    if not outputs.isfinite().all():
        message = f"the network of {file} gives numbers that are not finite"
        raise InputError(message, "check its file, and its mean and std")
    return Answer(outputs.shape[1], _kind_of(outputs), key)


def _images(size: int, takes: InputCard) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(_IMAGES, 3, size, size, generator=generator)
    images += torch.tensor([-1.0, 0.0, 1.0, 2.0])[:, None, None, None]
    return images.permute(0, 2, 3, 1) if takes.layout == "NHWC" else images


def _run(network: nn.Module, images: Tensor, file: Path) -> Any:
    try:
        with torch.no_grad():
            return network(images)
    except InputError:
        raise
    except Exception as error:  # networks raise many types for inputs they do not take
        why = " ".join(str(error).split()) or type(error).__name__
        message = f"the network of {file} does not take images {list(images.shape)}: {why}"
        raise InputError(message, "give its size and layout with --size and --layout") from error


def _key(answer: Any) -> str:
    """The place of the outputs in what the network gives."""
    if isinstance(answer, Tensor):
        return ""
    for name in ("logits", "output", "out", "probabilities", "probs"):
        if isinstance(answer, Mapping) and isinstance(answer.get(name), Tensor):
            return name
        if isinstance(getattr(answer, name, None), Tensor):
            return name
    if isinstance(answer, Sequence):
        return next((str(n) for n, each in enumerate(answer) if isinstance(each, Tensor)), "0")
    return next(iter(answer), "") if isinstance(answer, Mapping) else ""


def _kind_of(outputs: Tensor) -> Gives:
    inside = bool((outputs >= 0).all() and (outputs <= 1).all())
    if outputs.shape[1] == 1:
        return "probability" if inside else "logit"
    if inside and _close(outputs.sum(dim=1), 1.0):
        return "probabilities"
    if bool((outputs <= 0).all()) and _close(outputs.exp().sum(dim=1), 1.0):
        return "log-probabilities"
    return "sigmoids" if inside else "logits"


def _close(values: Tensor, expected: float) -> bool:
    return bool(((values - expected).abs() < _CLOSE).all())
