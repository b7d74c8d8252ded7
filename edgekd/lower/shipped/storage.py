"""The weights of a shipped student, small enough for a package."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from edgekd.errors import ArtefactError, GateFailedError, InputError
from edgekd.files import pretty_json, sha256_of, write_atomically
from edgekd.models import ModelCard, read_card
from edgekd.models.card import CARD, WEIGHTS

__all__ = ["MOST_BYTES", "store_student"]

MOST_BYTES = 10_000_000
"""Most bytes of the weights: every installation of edgekd carries them."""


def store_student(source: Path, out: Path, *, most_bytes: int = MOST_BYTES) -> ModelCard:
    """Write a checkpoint whose weights are no larger than allowed.

    Weights that are larger are stored as float16, all but vectors (biases, batch norms), whose
    rounding would save little. The float student is then what those rounded weights compute.

    Args:
        source: The checkpoint.
        out: Folder that gets `model.safetensors` and `model.json`.
        most_bytes: Most bytes of the weights.

    Returns:
        The card as written: without places on this machine, and with the hash of these weights.

    Raises:
        GateFailedError: The weights are too large even so.
        InputError: A weight is beyond the range of float16.
        ArtefactError: The weights are not those of the card.
    """
    card, content = read_card(source), (source / WEIGHTS).read_bytes()
    if hashlib.sha256(content).hexdigest() != card.weights_sha256:
        message = f"{source / WEIGHTS} does not have the hash that {CARD} says"
        raise ArtefactError(message, "copy the checkpoint again, or train again")
    if len(content) > most_bytes:
        content = _rounded(source / WEIGHTS)
    if len(content) > most_bytes:
        size = f"{len(content) / 1e6:.1f} MB even in float16"
        message = f"the weights take {size}; {most_bytes / 1e6:.0f} MB may ship"
        raise GateFailedError(message, "ship a smaller student")
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / WEIGHTS, content)
    card = _without_places(msgspec.structs.replace(card, weights_sha256=sha256_of(out / WEIGHTS)))
    write_atomically(out / CARD, pretty_json(card))
    return card


def _rounded(weights: Path) -> bytes:
    import torch
    from safetensors.torch import load_file, save

    state: dict[str, Any] = load_file(weights)
    for name, tensor in state.items():
        if tensor.dtype == torch.float32 and tensor.ndim > 1:
            state[name] = tensor.to(torch.float16).contiguous()
            if not bool(torch.isfinite(state[name]).all()):
                message = f"{name} has weights beyond the range of float16"
                raise InputError(message, "ship a smaller student, or train with weight decay")
    return save(state)


def _without_places(card: ModelCard) -> ModelCard:
    """The card without paths of the machine that trained the student."""
    start = card.pretrained
    return msgspec.structs.replace(
        card,
        pretrained=Path(start).name if "/" in start or "\\" in start else start,
        data=msgspec.structs.replace(card.data, root=card.data.name),
    )
