"""The contestants of `training.py`, and the processes that run them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from child import Child
from environments import Environments, UnavailableError
from training_subject import Subject

__all__ = ["CACHED", "LOWER", "ROWS", "Machine", "Player", "Row", "players"]

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

    def variant_in(
        self, precision: str, variant: str = "", teacher: Mapping[str, Any] | None = None
    ) -> Row:
        """The same tool in another precision, or with further keys of the teacher."""
        return replace(self, precision=precision, variant=variant, teacher=teacher or {})

    @property
    def needs_bf16(self) -> bool:
        """Whether a network runs in bf16."""
        return "bf16" in (self.precision, self.teacher.get("precision"))


CACHED, LOWER = "cached teacher", "teacher in bf16"
_VIEWS = 2
_LOOP = Row(
    "loop", "fp32", "an eager loop, as PyTorch's tutorial writes it",
    *("training_plain", "training-plain"),
)  # fmt: skip
_TORCHDISTILL = Row(
    "torchdistill", "fp32", "DistillationBox with KDLoss, as in its example",
    *("training_torchdistill", "training-torchdistill"),
)  # fmt: skip
_MODELOPT = Row(
    "ModelOpt", "fp32", "NVIDIA's `modelopt.torch.distill`: kd_loss, LogitsDistillationLoss",
    *("training_modelopt", "training-modelopt"),
)  # fmt: skip
_EDGEKD = Row(
    "edgekd", "fp32", f"`edgekd distill` with the method kd; a cached teacher has {_VIEWS} fixed "
    "views of each image", *("training_edgekd", "edgekd-training"),
)  # fmt: skip
_CACHE = {"cache": {"views": _VIEWS}}
ROWS = (
    *(one.variant_in("fp32") for one in (_LOOP, _TORCHDISTILL, _MODELOPT, _EDGEKD)),
    _EDGEKD.variant_in("fp32", LOWER, {"precision": "bf16"}),
    _EDGEKD.variant_in("fp32", "teacher by OpenVINO", {"engine": "openvino"}),
    _EDGEKD.variant_in("fp32", CACHED, _CACHE),
    *(one.variant_in("bf16") for one in (_LOOP, _TORCHDISTILL, _MODELOPT, _EDGEKD)),
    _EDGEKD.variant_in("bf16", CACHED, _CACHE),
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

    def refusal(self, row: Row) -> str | None:
        """Why a row cannot be measured on this machine; None if it can."""
        if not row.needs_bf16:
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
            if refusal := machine.refusal(row):
                raise UnavailableError(refusal, "take another machine")
            python = environments.python(row.environment)
            ready.append(Player(row, python, variables, subject, machine, work))
        except UnavailableError as error:
            reasons[row.name] = error.message
    return ready, reasons
