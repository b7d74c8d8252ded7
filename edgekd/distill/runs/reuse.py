"""An earlier run in the same folder, and how much of it can be reused."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from edgekd.distill.runs.pinned_precision import PRECISION
from edgekd.distill.runs.record import FILES, HISTORY
from edgekd.distill.training.fit import StageOutcome
from edgekd.errors import ArtefactError, InputError
from edgekd.models import ModelCard, load_checkpoint, read_card
from edgekd.models.card import CARD, WEIGHTS
from edgekd.policy import Policy, policy_of_values
from edgekd.seals import SEAL, flaws_of

__all__ = ["Left", "left_in", "refuse_folders", "take_weights"]


@dataclass(frozen=True)
class Left:
    """An earlier run, whole or damaged.

    Attributes:
        folder: Folder of the run.
        card: Model card of its checkpoint; None where the card is damaged.
        flaws: Damage to its files, by name of the file.
    """

    folder: Path
    card: ModelCard | None
    flaws: dict[str, str]

    @property
    def whole(self) -> bool:
        """Whether it can be reused as it is."""
        return self.card is not None and not self.flaws

    @property
    def trained(self) -> bool:
        """Whether weights and history are whole, so that only the other files are made again."""
        return self.card is not None and self.flaws.keys().isdisjoint({WEIGHTS, HISTORY})

    @property
    def damage(self) -> str:
        """The flaws in words; "" without any."""
        return "; ".join(f"{self.folder / name} {flaw}" for name, flaw in self.flaws.items())


def left_in(out: Path, key: str, policy: Policy) -> Left | None:
    """The earlier run in a folder; None where there is none, or one of another key.

    A run that is too damaged to read its key is returned as well.

    Args:
        out: The folder.
        key: Hash of what the weights depend on.
        policy: Policy of the recipe; a card with another one is a flaw.
    """
    # The precision is there before the training has begun.
    if not any((out / name).exists() for name in FILES if name != PRECISION):
        return None
    flaws = flaws_of(out)
    if flaws.keys() & {SEAL, CARD}:
        return Left(out, None, flaws)
    try:
        card = read_card(out)
    except (ArtefactError, InputError):  # written by another version of edgekd
        return None
    if card.training.stage_sha256 != key:
        return None
    if policy_of_values(card.policy) != policy:
        flaws = {**flaws, CARD: "has another policy"}
    return Left(out, card, flaws)


def take_weights(left: Left, network: nn.Module) -> StageOutcome:
    """Load the weights of a run whose training is whole; returns its outcome."""
    checkpoint = load_checkpoint(left.folder)
    network.load_state_dict(checkpoint.network.state_dict())
    with (left.folder / HISTORY).open(encoding="utf-8", newline="") as stream:
        history = [
            {name: _number(text) for name, text in row.items() if text}
            for row in csv.DictReader(stream)
        ]
    return StageOutcome(history, checkpoint.card.training.best_epoch)


def _number(text: str) -> float:
    """The value before it was written as text: epochs are integers."""
    return int(text) if text.isdigit() else float(text)


def refuse_folders(out: Path) -> None:
    """Refuse a run's folder that cannot be written, before training starts.

    Raises:
        InputError: A folder is where a file of the run belongs.
    """
    for name in FILES:
        if (out / name).is_dir():
            message = f"{out / name} is a folder, where a file of the run belongs"
            raise InputError(message, "remove it, or choose another --out")
