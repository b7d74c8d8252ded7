"""Loggers that a recipe names: TensorBoard, MLflow, Weights & Biases, through Lightning's.

Runs stand beside patients' images. What a logger receives are the numbers of the history and the
recipe without its paths and without its data section; no code, no host's name, no command line, no
checkpoints. Nothing leaves the machine unless the environment names where to: MLflow writes to a
file in the run's folder unless `MLFLOW_TRACKING_URI` is set, Weights & Biases is offline unless
`WANDB_API_KEY` is set. The telemetry of both packages is turned off.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from lightning.pytorch.callbacks import Callback

from edgekd.distill.training.processes import is_rank_zero
from edgekd.errors import MissingDependencyError
from edgekd.files import make_folder, write_atomically
from edgekd.recipe import Recipe

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger

    from edgekd.distill.training.module import StageModule

__all__ = ["LogPlan", "LoggedHistory", "loggers_of", "public_recipe", "refuse_missing_loggers"]

_PACKAGES = {"tensorboard": "tensorboard", "mlflow": "mlflow-skinny", "wandb": "wandb"}
_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "WANDB_ERROR_REPORTING": "false"}
"""No message to the makers of the packages, either."""


@dataclass(frozen=True)
class LogPlan:
    """What is logged where.

    Attributes:
        names: Loggers.
        folder: Folder for what they write.
        project: Name under which several runs are gathered.
        run: Name of the run.
        recipe: The recipe, as `public_recipe` gives it.
    """

    names: Sequence[str]
    folder: Path
    project: str
    run: str
    recipe: Mapping[str, Any]


def public_recipe(recipe: Recipe) -> dict[str, Any]:
    """A recipe as plain values without what may name patients, people or places.

    The data section is left out; texts that are paths are replaced by "(path)".
    """
    values: dict[str, Any] = msgspec.to_builtins(recipe)
    del values["data"]
    return {key: _without_paths(value, key) for key, value in values.items()}


def _without_paths(value: Any, key: str) -> Any:
    if isinstance(value, dict):
        return {inner: _without_paths(each, inner) for inner, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_paths(each, key) for each in value]
    is_path = isinstance(value, str) and (key == "checkpoint" or not {"/", "\\"}.isdisjoint(value))
    return "(path)" if is_path else value


def refuse_missing_loggers(names: Sequence[str]) -> None:
    """Refuse loggers whose package is not installed, before any training.

    Raises:
        MissingDependencyError: A package is missing.
    """
    for name in names:
        if find_spec(name) is None:
            raise MissingDependencyError(_PACKAGES[name], "loggers", f"log to {name}")
    if "mlflow" in names and not os.environ.get("MLFLOW_TRACKING_URI"):
        for package in ("sqlalchemy", "alembic"):
            if find_spec(package) is None:
                purpose = "log to MLflow without a server"
                raise MissingDependencyError(package, "loggers", purpose)


@contextmanager
def loggers_of(plan: LogPlan | None, stage: str, key: str) -> Iterator[list[Logger]]:
    """The loggers of a stage; one that is resumed goes on in the same runs.

    Args:
        plan: What is logged where; None for nothing.
        stage: Name of the stage.
        key: Hash of what the stage depends on: another one begins a new run.
    """
    if plan is None or not plan.names or not is_rank_zero():
        yield []
        return
    os.environ.update(_QUIET)
    make_folder(plan.folder)
    server = _mlflow_server()
    try:
        yield [_MAKERS[name](plan, stage, key) for name in plan.names]
    finally:
        if "wandb" in plan.names:
            _finish_wandb()  # Lightning leaves its run open, and the next stage would go on in it
        if "mlflow" in plan.names:
            _restore_mlflow_server(server)


def _finish_wandb() -> None:
    import wandb

    wandb.finish()


def _mlflow_server() -> str | None:
    return os.environ.get("MLFLOW_TRACKING_URI") or None


def _restore_mlflow_server(server: str | None) -> None:
    """MLflow writes the place of a run into the environment, where the next run would find it."""
    import mlflow

    mlflow.set_tracking_uri(server)


def _tensorboard(plan: LogPlan, stage: str, key: str) -> Logger:
    from lightning.pytorch.loggers import TensorBoardLogger

    place = plan.folder / "tensorboard"
    return TensorBoardLogger(place, name="", version=stage, default_hp_metric=False)


def _mlflow(plan: LogPlan, stage: str, key: str) -> Logger:
    from lightning.pytorch.loggers import MLFlowLogger

    tags = {"mlflow.source.name": "edgekd", "mlflow.source.type": "LOCAL", "mlflow.user": "edgekd"}
    server, database = _mlflow_server(), plan.folder / "mlflow.db"
    known = _Known(plan.folder / f"mlflow-{stage}.json", f"{key} {server}")
    if not server and not database.is_file():
        known.run = None
    logger = MLFlowLogger(
        plan.project,
        run_name=f"{plan.run}/{stage}",
        tracking_uri=server or f"sqlite:///{database.absolute()}",
        artifact_location=None if server else str((plan.folder / "mlflow").absolute()),
        tags=tags,
        run_id=known.run,
    )
    known.keep(lambda: str(logger.run_id))
    return logger


def _wandb(plan: LogPlan, stage: str, key: str) -> Logger:
    import wandb
    from lightning.pytorch.loggers import WandbLogger

    known = _Known(plan.folder / f"wandb-{stage}.json", key)
    known.keep(lambda: secrets.token_hex(4))
    online = bool(os.environ.get("WANDB_API_KEY")) and os.environ.get("WANDB_MODE") in (
        None, "", "online",
    )  # fmt: skip
    # What wandb would collect of the machine: host, user, paths, command line, revision, load.
    settings = wandb.Settings(
        x_disable_meta=True, x_disable_machine_info=True, x_disable_stats=True, disable_git=True,
        disable_code=True, disable_job_creation=True, save_code=False, x_save_requirements=False,
        console="off", silent=True, show_warnings=False,
    )  # fmt: skip
    return WandbLogger(
        f"{plan.run}/{stage}", plan.folder, known.run, not online, project=plan.project,
        settings=settings, mode="online" if online else "offline", reinit="finish_previous",
    )  # fmt: skip


_MAKERS: dict[str, Callable[[LogPlan, str, str], Logger]] = {
    "tensorboard": _tensorboard,
    "mlflow": _mlflow,
    "wandb": _wandb,
}


class _Run(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    run: str


class _Known:
    """The run of a logger that an interrupted stage goes on in, kept in a small file."""

    def __init__(self, file: Path, key: str) -> None:
        self._file = file
        self._key = key
        self.run: str | None = None
        if file.is_file():
            kept = msgspec.json.decode(file.read_bytes(), type=_Run)
            self.run = kept.run if kept.key == key else None

    def keep(self, make: Callable[[], str]) -> None:
        """Keep the run, which `make` begins where there is none yet."""
        if self.run is None:
            self.run = make()
            write_atomically(self._file, msgspec.json.encode(_Run(key=self._key, run=self.run)))


class LoggedHistory(Callback):
    """Gives each epoch's row of the history to the loggers, and the recipe once.

    Args:
        module: The stage.
        plan: What is logged where.
    """

    def __init__(self, module: StageModule, plan: LogPlan) -> None:
        self._module = module
        self._plan = plan

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Log the recipe."""
        for logger in trainer.loggers:
            logger.log_hyperparams(dict(self._plan.recipe))

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Log the epoch's means and its score."""
        if not self._module.history:
            return
        row = dict(self._module.history[-1])
        epoch = int(row.pop("epoch"))
        for logger in trainer.loggers:
            logger.log_metrics(row, step=epoch)
            logger.save()
