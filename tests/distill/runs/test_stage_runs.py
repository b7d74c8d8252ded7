"""Stages in order: all but the last are kept, and reused while what they depend on is the same."""

from __future__ import annotations

from small_runs import SSD_KD, record_stages, run

from edgekd.distill.runs.stage_runs import STAGES


def test_stages_run_in_order_and_the_first_is_kept(taught, tmp_path, monkeypatch):
    trained = record_stages(monkeypatch)
    run(taught(method=SSD_KD), tmp_path)
    assert trained == ["teacher_head", "student"]
    kept = sorted(file.name for file in (tmp_path / "student" / STAGES).glob("*.safetensors"))
    assert kept == ["teacher_head.safetensors"]


def test_a_stage_is_reused_where_only_a_later_one_changed(taught, tmp_path, monkeypatch):
    run(taught(method=SSD_KD), tmp_path)
    trained = record_stages(monkeypatch)
    lines = run(taught(method={**SSD_KD, "ce": 0.5}), tmp_path, force=True)
    assert trained == ["student"]
    assert any(line.startswith("teacher_head: ") and "reused" in line for line in lines)
