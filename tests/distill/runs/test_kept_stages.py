"""Finished stages in a run's folder: reused, or trained again where damaged."""

from __future__ import annotations

from small_runs import SSD_KD, record_stages, run


def test_a_damaged_kept_stage_is_trained_again(taught, tmp_path, monkeypatch):
    run(taught(method=SSD_KD), tmp_path)
    (tmp_path / "student" / "stages" / "teacher_head.safetensors").write_bytes(b"not tensors")
    trained = record_stages(monkeypatch)
    run(taught(method={**SSD_KD, "ce": 0.5}), tmp_path, force=True)
    assert trained == ["teacher_head", "student"]
