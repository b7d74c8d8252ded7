"""What a run writes into its folder."""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path

import pytest
from small_runs import leftovers, run

from edgekd.distill.methods import resolve_method
from edgekd.models import load_checkpoint


@pytest.mark.parametrize(
    "method",
    ["none", "kd", "dkd", "at", "rkd", "d_kd", "mean_teacher", "crckd", "crckd_cross"],
)
def test_a_run_from_end_to_end(taught, tmp_path, method):
    recipe = taught(method={"name": method})
    run(recipe, tmp_path)
    student = tmp_path / "student"
    metrics = json.loads((student / "metrics.json").read_text())
    assert set(metrics) == {"validation", "test", "teacher"}
    with (student / "history.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert {"loss", "score", "ce"} <= rows[0].keys()
    with (student / "split.csv").open() as stream:
        assert {row["part"] for row in csv.DictReader(stream)} == {"train", "validation", "test"}
    card = load_checkpoint(student).card
    assert (card.training.method, card.training.epochs) == (method, 2)
    assert (card.training.teacher is None) != resolve_method({"name": method})[0].needs_teacher
    assert not leftovers(tmp_path)


def test_a_card_names_the_revision_of_its_checkout(taught, tmp_path):
    checkout = Path(__file__).resolve().parents[3]
    if not (checkout / ".git").exists():
        pytest.skip("edgekd is not tested in a git checkout")
    run(taught(method={"name": "none"}), tmp_path)
    command = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
    head = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    assert load_checkpoint(tmp_path / "student").card.training.git_revision == head
