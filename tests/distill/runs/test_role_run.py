"""One role in its folder: made, reused, and alone while it is written."""

from __future__ import annotations

from small_runs import run, same, weights

from edgekd.distill.runs.stage_runs import LOGS, STAGES, WORK
from edgekd.models import read_card

COMPILED = {"accelerator": "cpu", "precision": "fp32", "threads": 1, "compile": "always"}


def test_a_run_is_made_once(taught, tmp_path):
    first = run(taught(), tmp_path)
    assert any(line.startswith("student: resnet10t, 0.0") for line in first)
    before = weights(tmp_path)
    (again,) = [line for line in run(taught(), tmp_path) if line.startswith("student: ")]
    assert again.endswith("is there already, from the same recipe and data; reused")
    assert same(weights(tmp_path), before)
    assert not (tmp_path / "student" / WORK).exists()


def test_beginning_again_clears_stages_and_logs(taught, tmp_path):
    from edgekd.distill.runs import pipeline

    run(taught(), tmp_path)
    for name in (STAGES, LOGS):
        (tmp_path / "student" / name).mkdir(exist_ok=True)
        (tmp_path / "student" / name / "old").write_text("old")
    pipeline.distill(pipeline.RunRequest(taught(), tmp_path, resume=False))
    for name in (STAGES, LOGS):
        assert not (tmp_path / "student" / name / "old").exists()


def test_compiled_runs_are_runs_of_their_own(taught, tmp_path, monkeypatch):
    """The compiler is left out: what is held is the key, and what training runs through."""
    import torch

    used: list[str] = []

    def noted(function):
        return lambda *a, **b: used.append("compiled") or function(*a, **b)

    run(taught(), tmp_path)
    key = read_card(tmp_path / "student").training.stage_sha256
    monkeypatch.setattr(torch, "compile", noted)
    assert not any(
        "reused" in line for line in run(taught(trainer=COMPILED), tmp_path, force=True)[1:]
    )
    assert used
    assert read_card(tmp_path / "student").training.stage_sha256 != key
