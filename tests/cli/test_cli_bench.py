"""`edgekd bench` refuses before it makes anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import refused


def test_an_unknown_device_is_told_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(capsys, ["bench", "--device", "toaster"], 2, "'toaster'", "rpi")
    assert not list(tmp_path.iterdir())
