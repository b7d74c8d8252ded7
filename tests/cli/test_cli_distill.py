"""`edgekd distill`: keys that a recipe does not have."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import refused


def test_a_wrong_key_in_a_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    arguments = ["distill", "demo", "--out", str(out), "--set", "student.fit.epoch=3"]
    refused(capsys, arguments, 2, "student.fit.epoch", "did you mean 'epochs'?")
    assert not out.exists()


def test_a_wrong_key_of_a_method(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["distill", "demo", "--out", str(tmp_path / "run"), "--set", "method.temprature=3"]
    refused(capsys, arguments, 2, "did you mean 'temperature'?")
