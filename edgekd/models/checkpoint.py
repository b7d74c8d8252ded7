"""A checkpoint: `model.safetensors` and `model.json` in one folder. No pickles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from edgekd.errors import ArtefactError, InputError
from edgekd.files import pretty_json, sha256_of, write_atomically
from edgekd.models.adapted import adapted
from edgekd.models.card import CARD, WEIGHTS, InputCard, ModelCard, read_card
from edgekd.models.foreign import open_foreign
from edgekd.models.libraries import CHECKPOINT, is_own_class
from edgekd.models.network import create_network
from edgekd.models.normalised import NormalisedNetwork
from edgekd.models.own_size import OwnSize
from edgekd.models.trust import refuse_untrusted
from edgekd.models.wrapped import Reordered

__all__ = ["Checkpoint", "load_checkpoint", "save_checkpoint"]


@dataclass(frozen=True)
class Checkpoint:
    """A trained network with its card.

    Attributes:
        folder: The folder that it was read from.
        network: The network in evaluation mode, on the CPU; takes normalised float32 [B, 3, S, S].
        card: See `ModelCard`.
        size_bytes: Size of the weights file.
    """

    folder: Path
    network: nn.Module
    card: ModelCard
    size_bytes: int

    def normalised(
        self, side: int | None = None, classes: Sequence[str] | None = None
    ) -> NormalisedNetwork:
        """The network with its normalisation in front: maps pixels 0…1 to the task's outputs.

        Args:
            side: Size in pixels that it sees images of another size at; None for any size.
            classes: Order of the outputs; None for that of the card.
        """
        card, network = self.card, self.network
        if classes is not None and tuple(classes) != card.classes:
            network = Reordered(network, [card.classes.index(name) for name in classes])
        if side is not None:
            network = OwnSize(network, side)
        return NormalisedNetwork(network, card.mean, card.std, card.subclass_of).eval()


def load_checkpoint(folder: str | Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        InputError: There is no checkpoint, or its network's code is not trusted.
        ArtefactError: It is damaged, or its weights do not belong to its card.
        MissingDependencyError: The library or engine of its network is not installed.
    """
    folder = Path(folder)
    card = read_card(folder)
    weights = folder / card.weights
    if not weights.is_file():
        raise ArtefactError(f"{weights} is missing", "copy the checkpoint's whole folder")
    if _sha256_of(weights) != card.weights_sha256:
        message = f"{weights} does not have the hash that {CARD} says"
        raise ArtefactError(message, "copy the checkpoint again, or make it again")
    network = _network_of(folder, card)
    if card.gives is not None:
        network = adapted(network, card.takes or InputCard(), card.gives, card.classes)
    if not card.outputs_alone:
        _load_weights(network, weights, card.arch)
    return Checkpoint(folder, network.eval(), card, weights.stat().st_size)


def _network_of(folder: Path, card: ModelCard) -> nn.Module:
    """The network as its library makes it, or as its file holds it."""
    if card.outputs_alone:
        return open_foreign(card.arch, folder / card.weights)
    if is_own_class(card.arch):
        refuse_untrusted(card.arch)
    if card.arch.startswith(f"{CHECKPOINT}:"):
        message = f"{folder / CARD} names another checkpoint as its architecture"
        raise ArtefactError(message, "copy the checkpoint again, or make it again")
    try:
        return create_network(card.arch, card.width, card.arch_options)
    except InputError as error:
        hint = "install the edgekd and timm that wrote it, or copy the checkpoint again"
        raise ArtefactError(f"{folder / CARD}: {error.message}", hint) from error


def _load_weights(network: nn.Module, weights: Path, arch: str) -> None:
    try:
        network.load_state_dict(load_file(weights))
    except (SafetensorError, RuntimeError) as error:
        message = f"{weights} does not fit {arch}: {str(error).splitlines()[0]}"
        raise ArtefactError(message, "copy the checkpoint again, or make it again") from error


def _sha256_of(weights: Path) -> str:
    try:
        return sha256_of(weights)
    except OSError as error:
        message = f"{weights} cannot be read: {error.strerror}"
        raise ArtefactError(message, "check its permissions, or copy it again") from error


def save_checkpoint(folder: Path, network: nn.Module, card: ModelCard) -> ModelCard:
    """Write weights and card into `folder`, the card last: without it there is no checkpoint.

    Returns:
        The card as written, with the hash of the weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / WEIGHTS
    state = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    content = save(state)
    (folder / CARD).unlink(missing_ok=True)
    write_atomically(weights, content)
    card = msgspec.structs.replace(card, weights_sha256=sha256_of(weights))
    write_atomically(folder / CARD, pretty_json(card))
    return card
