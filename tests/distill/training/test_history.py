"""The history of a running stage is on the disk after every epoch."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from small_runs import Make, run

from edgekd.distill.training.history import history_csv
from edgekd.distill.training.module import StageModule


def test_rows_are_written_while_the_stage_is_trained(
    taught: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    begin = StageModule.on_train_epoch_start
    file = tmp_path / "student" / ".training" / "student" / "history.csv"

    def look(self: StageModule) -> None:
        lines = file.read_text().splitlines() if file.is_file() else []
        seen.append([row["epoch"] for row in csv.DictReader(lines)])
        begin(self)

    monkeypatch.setattr(StageModule, "on_train_epoch_start", look)
    run(taught(), tmp_path)
    assert seen == [[], ["1"]]
    assert not file.exists()
    assert len((tmp_path / "student" / "history.csv").read_text().splitlines()) == 3


def test_columns_are_those_of_all_rows() -> None:
    rows = [{"epoch": 1, "ce": 0.5}, {"epoch": 2, "ce": 0.25, "waiting": 0.125}]
    assert history_csv(rows) == "epoch,ce,waiting\n1,0.5,\n2,0.25,0.125\n"
