"""The loggers of a recipe: the real packages, read back by their own readers."""

from __future__ import annotations

import csv
import json
import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_runs import Make, run

from edgekd.distill.training.loggers import _QUIET, public_recipe
from edgekd.distill.training.module import StageModule
from edgekd.errors import MissingDependencyError
from edgekd.recipe import Recipe

CPU = {"accelerator": "cpu", "precision": "fp32", "threads": 1}
# Of sqlalchemy, called by MLflow's store, and of what wandb imports.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def _no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "WANDB_API_KEY", "WANDB_MODE", *_QUIET):
        monkeypatch.setenv(name, "x")  # so that what the packages set is undone, too
        monkeypatch.delenv(name)


@pytest.fixture
def logged(taught: Make) -> Make:
    def make(*loggers: str) -> Recipe:
        return taught(trainer={**CPU, "loggers": list(loggers)})

    return make


def rows_of(out: Path) -> list[dict[str, float]]:
    with (out / "student" / "history.csv").open(newline="") as stream:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(stream)]


def cut_short(monkeypatch: pytest.MonkeyPatch, recipe: Recipe, out: Path) -> None:
    """A run that ends in its second epoch, and is resumed."""
    begin = StageModule.on_train_epoch_start

    def broken(self: StageModule) -> None:
        if self.current_epoch == 1:
            raise RuntimeError("power cut")
        begin(self)

    with monkeypatch.context() as patch:
        patch.setattr(StageModule, "on_train_epoch_start", broken)
        with pytest.raises(RuntimeError, match="power cut"):
            run(recipe, out)
    run(recipe, out)


def test_tensorboard(logged: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    cut_short(monkeypatch, logged("tensorboard"), tmp_path)
    rows = rows_of(tmp_path)
    events = EventAccumulator(str(tmp_path / "student" / "logs" / "tensorboard" / "student"))
    events.Reload()
    assert set(events.Tags()["scalars"]) >= set(rows[0]) - {"epoch"}
    for name in set(rows[0]) - {"epoch"}:
        told = [(event.step, event.value) for event in events.Scalars(name)]
        assert told == [(row["epoch"], pytest.approx(row[name])) for row in rows]


def test_mlflow(logged: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.tracking import MlflowClient

    cut_short(monkeypatch, logged("mlflow"), tmp_path)
    rows = rows_of(tmp_path)
    client = MlflowClient(f"sqlite:///{tmp_path / 'student' / 'logs' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("tiny")
    (kept,) = client.search_runs([experiment.experiment_id])  # one run, though it was resumed
    assert kept.info.status == "FINISHED"
    for name in set(rows[0]) - {"epoch"}:
        told = [(m.step, m.value) for m in client.get_metric_history(kept.info.run_id, name)]
        assert told == [(row["epoch"], pytest.approx(row[name])) for row in rows]
    assert kept.data.params["student/fit/epochs"] == "2"
    assert_discreet([*kept.data.params.values(), *kept.data.tags.values()], tmp_path)
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert "MLFLOW_TRACKING_URI" not in os.environ  # where the next run would log to


@pytest.mark.slow
def test_each_run_of_a_process_has_its_own_mlflow(logged: Make, tmp_path: Path) -> None:
    for name in ("first", "second"):
        run(logged("mlflow"), tmp_path / name)
        assert (tmp_path / name / "student" / "logs" / "mlflow.db").is_file()


def test_wandb_is_offline_without_a_key(
    logged: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [str(tmp_path / "clinic-tool"), "distill", "clinic-recipe.yaml"]
    monkeypatch.setattr(sys, "argv", command)
    cut_short(monkeypatch, logged("wandb"), tmp_path)
    rows = rows_of(tmp_path)
    folder = tmp_path / "student" / "logs" / "wandb"
    runs = sorted(folder.glob("offline-run-*"))
    assert len({run.name.split("-")[3] for run in runs}) == 1  # one id, though it was resumed
    records = [record for run in runs for record in records_of(next(run.glob("*.wandb")))]
    told: dict[float, dict[str, float]] = {}
    for values in records:
        told.setdefault(values.pop("trainer/global_step"), {}).update(values)
    for row in rows:
        seen = told[row["epoch"]]
        assert {k: seen[k] for k in row if k != "epoch"} == pytest.approx(
            {k: v for k, v in row.items() if k != "epoch"}
        )
    content = b"".join(file.read_bytes() for run in runs for file in uploaded_of(run))
    assert b"resnet10t" in content  # the recipe
    for secret in ("clinic", str(tmp_path), "synthetic"):
        assert secret.encode() not in content


def uploaded_of(run: Path) -> list[Path]:
    """What `wandb sync` uploads of a run; the logs for debugging stay."""
    files = [file for file in run.rglob("*") if file.is_file()]
    return [file for file in files if file.parent != run / "logs"]


def records_of(file: Path) -> list[dict[str, float]]:
    """The rows of history in wandb's own file of a run."""
    from wandb.proto import wandb_internal_pb2

    rows = []
    for data in entries_of(file.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        if record.WhichOneof("record_type") == "history":
            items = record.history.item
            values = {item.key or "/".join(item.nested_key): json.loads(item.value_json)
                      for item in items}  # fmt: skip
            rows.append({k: v for k, v in values.items() if not k.startswith("_")})
    return rows


def entries_of(content: bytes) -> Iterator[bytes]:
    """The entries of a file in the format of LevelDB's log, behind a header of seven bytes."""
    block, place, entry = 1 << 15, 7, b""
    while place + 7 <= len(content):
        if block - place % block < 7:
            place += block - place % block
            continue
        _, length, kind = struct.unpack_from("<IHB", content, place)
        entry += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield entry
            entry = b""


def assert_discreet(texts: list[str], folder: Path) -> None:
    for text in texts:
        assert str(folder) not in text
        assert not text.startswith("/")
        assert text != os.environ.get("USER", "root")


def test_paths_and_data_stay(taught: Make, tmp_path: Path) -> None:
    recipe = taught(policy=str(tmp_path / "our.toml"))
    values = public_recipe(recipe)
    assert "data" not in values
    assert values["policy"] == "(path)"
    assert values["teacher"]["checkpoint"] == "(path)"
    assert values["student"]["fit"]["epochs"] == 2
    assert str(tmp_path) not in str(values)


@pytest.mark.parametrize(
    ("name", "package"),
    [("tensorboard", "tensorboard"), ("mlflow", "mlflow-skinny"), ("wandb", "wandb")],
)
def test_a_missing_package_is_refused_before_the_training(
    logged: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    def absent(module: str) -> Any:
        return None if module == name else object()

    monkeypatch.setattr("edgekd.distill.training.loggers.find_spec", absent)
    with pytest.raises(MissingDependencyError) as missing:
        run(logged(name), tmp_path)
    assert missing.value.message == f"{package} is not installed; it is needed to log to {name}"
    assert missing.value.hint == "pip install 'edgekd[loggers]'"
    assert not (tmp_path / "student").exists()
