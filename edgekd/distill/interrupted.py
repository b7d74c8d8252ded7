"""Training checkpoints: what a stage that was interrupted is taken up from."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO

from edgekd.files import atomic_write, make_folder
from edgekd.seals import MISSING, STRANGE, clear_place, flaw_of, read_sealed, seal

__all__ = ["BEST", "LAST", "MovableCheckpoint", "SealedCheckpoints", "clear_unless_whole"]

LAST, BEST = "last", "best"
_SUFFIX = ModelCheckpoint.FILE_EXTENSION


class SealedCheckpoints(TorchCheckpointIO):
    """Writes Lightning's checkpoints whole and sealed, and reads none that is damaged.

    Args:
        key: Hash of what the stage depends on.
    """

    def __init__(self, key: str) -> None:
        self._key = key

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Write one."""
        with atomic_write(Path(path)) as beside:
            torch.save(checkpoint, beside)
            seal(beside, self._key)

    def load_checkpoint(
        self, path: Any, map_location: Any = "cpu", weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read one that `save_checkpoint` wrote.

        Raises:
            ArtefactError: It is not there or damaged.
        """
        content = io.BytesIO(read_sealed(Path(path), self._key))
        found: dict[str, Any] = torch.load(content, map_location, weights_only=bool(weights_only))
        return found


class MovableCheckpoint(ModelCheckpoint):
    """Lightning's, which forgets the best epoch where its folder was moved or copied."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the state, with the paths of where the folder is now."""
        super().load_state_dict(_moved(state_dict, Path(str(self.dirpath))))


def _moved(state: dict[str, Any], folder: Path) -> dict[str, Any]:
    def here(path: str) -> str:
        return str(folder / Path(path).name) if path else path

    paths = ("best_model_path", "kth_best_model_path", "last_model_path")
    best = {here(path): score for path, score in state.get("best_k_models", {}).items()}
    moved = {name: here(state[name]) for name in paths if name in state}
    return {**state, **moved, "best_k_models": best, "dirpath": str(folder)}


def clear_unless_whole(work: Path, key: str) -> str:
    """Leave the folder of an interrupted stage as it is, or empty where it is of no use.

    Args:
        work: The folder.
        key: Hash of what the stage depends on; what another key left is thrown away.

    Returns:
        What is damaged, in words; "" where nothing is.
    """
    last, best = (work / f"{name}{_SUFFIX}" for name in (LAST, BEST))
    flaws = {file: flaw_of(file, key) for file in (last, best)}
    if set(flaws.values()) == {None}:
        return ""
    harmless = {None, MISSING, STRANGE} if flaws[last] in (MISSING, STRANGE) else {None}
    told = [f"{file} {flaw}" for file, flaw in flaws.items() if flaw not in harmless]
    clear_place(work)
    make_folder(work)
    return "; ".join(told)
