"""Finished stages in a run's folder, which are reused when a later stage is trained again.

A stage is stored as two files of a sealed folder: its trained weights, and its history as a table.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from edgekd.distill.methods import Method, Stage
from edgekd.distill.training.fit import StageOutcome
from edgekd.distill.training.history import history_csv
from edgekd.distill.training.module import trained_state
from edgekd.files import atomic_write, write_atomically
from edgekd.seals import SEAL, clear_place, flaws_of, seal_files, unseal_files

__all__ = [
    "drop_damaged_stages",
    "flaws_of_stages",
    "restore_stage",
    "stage_file",
    "store_stage",
]


def store_stage(
    folder: Path, method: Method, stage: Stage, key: str, outcome: StageOutcome
) -> None:
    """Store the weights of a stage, with the hash of what they depend on and its history."""
    trained = trained_state(method, stage.updated)
    state = {name: tensor.cpu().contiguous() for name, tensor in trained.items()}
    about = {"key": key, "outcome": msgspec.json.encode(outcome).decode()}
    file = stage_file(folder, stage)
    with atomic_write(file) as beside:
        save_file(state, beside, metadata=about)
    table = file.with_suffix(".csv")
    write_atomically(table, history_csv(outcome.history))
    seal_files(folder, [file.name, table.name])


def stage_file(folder: Path, stage: Stage) -> Path:
    """The file of a stage's weights."""
    return folder / f"{stage.name}.safetensors"


def restore_stage(folder: Path, method: Method, stage: Stage, key: str) -> StageOutcome | None:
    """Load the stored weights of a stage into its modules.

    Returns:
        None if none are stored, they are damaged, or they depend on something else.
    """
    file = stage_file(folder, stage)
    if not flaws_of(folder).keys().isdisjoint({SEAL, file.name}):
        return None
    try:
        with safe_open(file, "pt") as stored:
            about = stored.metadata() or {}
        if about.get("key") != key:
            return None
        state = load_file(file)
    except (OSError, SafetensorError):
        return None
    if state.keys() != trained_state(method, stage.updated).keys():
        return None
    method.load_state_dict(state, strict=False)
    return msgspec.json.decode(about["outcome"], type=StageOutcome)


def flaws_of_stages(folder: Path) -> dict[str, str]:
    """The damages to the stored stages of a run, by file."""
    return flaws_of(folder) if folder.is_dir() else {}


def drop_damaged_stages(folder: Path) -> str:
    """Remove damaged stages: they are trained again when they are needed.

    Returns:
        What was damaged, in words; "" if nothing was.
    """
    flaws = flaws_of_stages(folder)
    if SEAL in flaws:
        clear_place(folder)
    elif flaws:
        stages = {Path(name).stem for name in flaws}
        names = [f"{stage}{suffix}" for stage in stages for suffix in (".safetensors", ".csv")]
        unseal_files(folder, names)
        for name in names:
            clear_place(folder / name)
    return "; ".join(f"{folder / name} {flaw}" for name, flaw in flaws.items())
