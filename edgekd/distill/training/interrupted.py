"""Training checkpoints, from which an interrupted stage is resumed."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO

from edgekd.files import atomic_write, make_folder
from edgekd.seals import MISSING, STRANGE, clear_place, flaw_of, read_sealed, seal

__all__ = ["BEST", "LAST", "RelocatableCheckpoint", "SealedCheckpoints", "clear_unless_whole"]

LAST, BEST = "last", "best"
_SUFFIX = ModelCheckpoint.FILE_EXTENSION


class SealedCheckpoints(TorchCheckpointIO):
    """Writes Lightning's checkpoints atomically and sealed, and refuses to read a damaged one.

    Args:
        key: Hash of what the stage depends on.
    """

    def __init__(self, key: str) -> None:
        self._key = key

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Write a checkpoint and its seal."""
        with atomic_write(Path(path)) as beside:
            torch.save(checkpoint, beside)
            seal(beside, self._key)
            _force_to_disk(beside)

    def load_checkpoint(
        self, path: Any, map_location: Any = "cpu", weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint that `save_checkpoint` wrote.

        Raises:
            ArtefactError: The checkpoint is missing or damaged.
        """
        content = io.BytesIO(read_sealed(Path(path), self._key))
        checkpoint: dict[str, Any] = torch.load(
            content, map_location, weights_only=bool(weights_only)
        )
        return checkpoint


def _force_to_disk(file: Path) -> None:
    """After a power cut a file that was only renamed may be empty, and the old one is gone."""
    with file.open("rb") as stream:
        os.fsync(stream.fileno())


class RelocatableCheckpoint(ModelCheckpoint):
    """Lightning's `ModelCheckpoint`, except that its folder may be moved or copied between runs."""

    @property
    def state_key(self) -> str:
        """A constant, as a trainer has one of these: Lightning asks for it many times a step."""
        return type(self).__qualname__

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state, with its paths in the folder's present place."""
        super().load_state_dict(_relocated(state_dict, Path(str(self.dirpath))))


def _relocated(state: dict[str, Any], folder: Path) -> dict[str, Any]:
    def relocated(path: str) -> str:
        return str(folder / Path(path).name) if path else path

    paths = ("best_model_path", "kth_best_model_path", "last_model_path")
    best = {relocated(path): score for path, score in state.get("best_k_models", {}).items()}
    moved = {name: relocated(state[name]) for name in paths if name in state}
    return {**state, **moved, "best_k_models": best, "dirpath": str(folder)}


def clear_unless_whole(work: Path, key: str) -> str:
    """Empty the folder of an interrupted stage, unless the stage can be resumed from it.

    Args:
        work: The folder.
        key: Hash of what the stage depends on; checkpoints of another key are removed.

    Returns:
        What is damaged, in words; "" if nothing is.
    """
    last, best = (work / f"{name}{_SUFFIX}" for name in (LAST, BEST))
    flaws = {file: flaw_of(file, key) for file in (last, best)}
    if set(flaws.values()) == {None}:
        return ""
    if flaws == {last: None, best: MISSING} and not _has_finished_epochs(last, key):
        return ""
    harmless = {None, MISSING, STRANGE} if flaws[last] in (MISSING, STRANGE) else {None}
    damages = [f"{file} {flaw}" for file, flaw in flaws.items() if flaw not in harmless]
    clear_place(work)
    make_folder(work)
    return "; ".join(damages)


def _has_finished_epochs(last: Path, key: str) -> bool:
    """Whether an epoch had ended, and left a best one, when a checkpoint was written."""
    return bool(SealedCheckpoints(key).load_checkpoint(last).get("history"))
