"""What an earlier run left in a folder, and how much of it is still what was written."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from edgekd.distill.fit import StageOutcome
from edgekd.distill.record import FILES, HISTORY
from edgekd.errors import ArtefactError, InputError
from edgekd.models import ModelCard, load_checkpoint, read_card
from edgekd.models.card import CARD
from edgekd.models.checkpoint import WEIGHTS
from edgekd.seals import SEAL, flaws_of

__all__ = ["Left", "left_in", "refuse_folders", "take_weights"]


@dataclass(frozen=True)
class Left:
    """A run that is there already, or what is left of it.

    Attributes:
        folder: Of the run.
        card: Of its checkpoint; None where that is damaged itself.
        flaws: What is wrong with its files, by name.
    """

    folder: Path
    card: ModelCard | None
    flaws: dict[str, str]

    @property
    def whole(self) -> bool:
        """Whether it can be taken as it is."""
        return self.card is not None and not self.flaws

    @property
    def trained(self) -> bool:
        """Whether its training is whole, so that only what is said of it has to be made again."""
        return self.card is not None and self.flaws.keys().isdisjoint({WEIGHTS, HISTORY})

    @property
    def damage(self) -> str:
        """In words; "" where all is whole."""
        return "; ".join(f"{self.folder / name} {flaw}" for name, flaw in self.flaws.items())


def left_in(out: Path, key: str) -> Left | None:
    """What a run of this key left; None where there is none, or one of another key.

    A run that is too damaged to tell its key is given too.
    """
    if not any((out / name).exists() for name in FILES):
        return None
    flaws = flaws_of(out)
    if flaws.keys() & {SEAL, CARD}:
        return Left(out, None, flaws)
    try:
        card = read_card(out)
    except (ArtefactError, InputError):  # of another edgekd
        return None
    return Left(out, card, flaws) if card.training.stage_sha256 == key else None


def take_weights(left: Left, network: nn.Module) -> StageOutcome:
    """Load the weights of a run whose training is whole; gives what that came to."""
    checkpoint = load_checkpoint(left.folder)
    network.load_state_dict(checkpoint.network.state_dict())
    with (left.folder / HISTORY).open(encoding="utf-8", newline="") as stream:
        history = [
            {name: _number(text) for name, text in row.items() if text}
            for row in csv.DictReader(stream)
        ]
    return StageOutcome(history, checkpoint.card.training.best_epoch)


def _number(text: str) -> float:
    """As it was before it was written: epochs are whole."""
    return int(text) if text.isdigit() else float(text)


def refuse_folders(out: Path) -> None:
    """Refuse a run's place that cannot be written, before anyone waits for the training.

    Raises:
        InputError: A folder is where a file of the run belongs.
    """
    for name in FILES:
        if (out / name).is_dir():
            message = f"{out / name} is a folder, where a file of the run belongs"
            raise InputError(message, "remove it, or choose another --out")
