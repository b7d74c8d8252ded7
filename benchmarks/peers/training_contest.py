"""The contestants of `training.py`, and the processes that run them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from child import Child
from environments import Environments, UnavailableError
from training_subject import Subject

__all__ = ["CACHED", "ROWS", "Machine", "Player", "Row", "players"]

_SCRIPTS = Path(__file__).parent / "contestants"


@dataclass(frozen=True)
class Row:
    """A contestant.

    Attributes:
        tool: The tool.
        precision: `fp32`, or `bf16` by autocast.
        what: What it is, in a few words.
        script: File in `contestants/`.
        environment: File in `requirements/`.
        variant: What distinguishes it from the tool's other rows of this precision.
        teacher: Further keys of the recipe's section `teacher`, for edgekd.
    """

    tool: str
    precision: str
    what: str
    script: str
    environment: str
    variant: str = ""
    teacher: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name in the tables."""
        return f"{self.tool} {self.precision}{', ' if self.variant else ''}{self.variant}"


CACHED = "cached teacher"
_TOOLS = (
    Row(
        "loop", "fp32", "an eager loop, as PyTorch's tutorial writes it",
        *("training_plain", "training-plain"),
    ),
    Row(
        "torchdistill", "fp32", "DistillationBox with KDLoss, as in its example",
        *("training_torchdistill", "training-torchdistill"),
    ),
    Row(
        "ModelOpt", "fp32", "NVIDIA's `modelopt.torch.distill`: kd_loss, LogitsDistillationLoss",
        *("training_modelopt", "training-modelopt"),
    ),
    Row(
        "edgekd", "fp32", "`edgekd distill` with the method kd",
        *("training_edgekd", "edgekd-training"),
    ),
)  # fmt: skip
ROWS = tuple(
    Row(one.tool, precision, one.what, one.script, one.environment)
    for precision in ("fp32", "bf16")
    for one in _TOOLS
)


@dataclass(frozen=True)
class Machine:
    """Where contestants train.

    Attributes:
        device: `cpu` or `cuda`.
        threads: CPU threads of the arithmetic.
        workers: Processes that load the peers' images; edgekd has its own loader.
    """

    device: str = "cpu"
    threads: int = 1
    workers: int = 1

    def refusal(self, precision: str) -> str | None:
        """Why this machine has no rows of a precision; None if it has."""
        if precision == "fp32":
            return None
        if self.device == "cuda":
            native = torch.cuda.is_bf16_supported(including_emulation=False)
        else:
            native = torch.ops.mkldnn._is_mkldnn_bf16_supported()
        return None if native else "the processor has no bf16"


@dataclass(frozen=True)
class Player:
    """An installed contestant with what it trains."""

    row: Row
    python: Path
    environment: dict[str, str]
    subject: Subject
    machine: Machine
    work: Path

    def start(self, mode: str, *, epochs: int = 1, batches: Sequence[Sequence[int]] = ()) -> Child:
        """Its process; see `contestants/_training.py`."""
        spec = {
            **self.subject.spec(mode),
            **vars(self.machine),
            "mode": mode, "precision": self.row.precision, "epochs": epochs, "batches": batches,
            "recipe": self._recipe(mode, epochs) if self.row.tool == "edgekd" else {},
        }  # fmt: skip
        file = next(_unused(self.work))
        file.write_text(json.dumps(spec))
        command = [str(self.python), str(_SCRIPTS / f"{self.row.script}.py"), str(file)]
        return Child(command, self.environment)

    def _recipe(self, mode: str, epochs: int) -> dict[str, Any]:
        return self.subject.recipe(
            mode=mode, epochs=epochs, precision=self.row.precision, threads=self.machine.threads,
            device=self.machine.device, teacher=dict(self.row.teacher),
        )  # fmt: skip


def _unused(folder: Path) -> Any:
    """Paths of files that are not there yet."""
    files = (folder / f"{number}.json" for number in itertools.count())
    return (file for file in files if not file.exists())


def players(
    environments: Environments, subject: Subject, machine: Machine, work: Path,
    only: Sequence[str],
) -> tuple[list[Player], dict[str, str]]:  # fmt: skip
    """The contestants that are installed, and why the others are not."""
    ready, reasons = [], {}
    variables = environments.child_environment() | {
        "OMP_NUM_THREADS": str(machine.threads),
        "EDGEKD_CACHE": str(subject.folder / "cache"),
    }
    for row in ROWS:
        if only and row.name not in only:
            continue
        try:
            if refusal := machine.refusal(row.precision):
                raise UnavailableError(refusal, "take another machine")
            python = environments.python(row.environment)
            ready.append(Player(row, python, variables, subject, machine, work))
        except UnavailableError as error:
            reasons[row.name] = error.message
    return ready, reasons
