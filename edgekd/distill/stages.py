"""Finished stages kept in a run's folder, so that a later stage can be tried again without them."""

from __future__ import annotations

from pathlib import Path

import msgspec
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from edgekd.distill.fit import StageOutcome
from edgekd.distill.methods import Method, Stage
from edgekd.distill.module import trained_state
from edgekd.files import whole_file

__all__ = ["keep_stage", "take_kept_stage"]


def keep_stage(file: Path, method: Method, stage: Stage, key: str, outcome: StageOutcome) -> None:
    """Write what a stage trained, with the hash of what it depends on and its history."""
    trained = trained_state(method, stage.changed)
    state = {name: tensor.cpu().contiguous() for name, tensor in trained.items()}
    about = {"key": key, "outcome": msgspec.json.encode(outcome).decode()}
    with whole_file(file) as beside:
        save_file(state, beside, metadata=about)


def take_kept_stage(file: Path, method: Method, stage: Stage, key: str) -> StageOutcome | None:
    """Load what a stage trained earlier into its modules.

    Returns:
        None if there is none, it is damaged, or it depended on something else.
    """
    try:
        with safe_open(file, "pt") as kept:
            about = kept.metadata() or {}
        if about.get("key") != key:
            return None
        state = load_file(file)
    except (OSError, SafetensorError):
        return None
    if state.keys() != trained_state(method, stage.changed).keys():
        return None
    method.load_state_dict(state, strict=False)
    return msgspec.json.decode(about["outcome"], type=StageOutcome)
