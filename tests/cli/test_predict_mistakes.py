"""Mistakes with `edgekd predict`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from commands import photo_of, refused

from edgekd.cli import main


def test_no_mistake_is_exit_0(bundles: Path, small_run: Path) -> None:
    assert main(["predict", str(bundles / "rpi-int8"), str(photo_of(small_run))]) == 0


def test_a_missing_image(bundles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused(capsys, ["predict", str(bundles / "rpi-int8"), "none.jpg"], 2, "none.jpg")


def test_a_truncated_image(
    bundles: Path, small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = tmp_path / "cut.jpg"
    whole = photo_of(small_run).read_bytes()
    cut.write_bytes(whole[: len(whole) // 2])
    refused(capsys, ["predict", str(bundles / "rpi-int8"), str(cut)], 2, "truncated")


def test_a_missing_extra_is_exit_3(bundles: Path, small_run: Path, tmp_path: Path) -> None:
    block = "import sys\nsys.modules['ai_edge_litert'] = sys.modules['tflite_runtime'] = None\n"
    (tmp_path / "sitecustomize.py").write_text(block)
    done = subprocess.run(
        [sys.executable, "-m", "edgekd", "predict", bundles / "rpi-int8", photo_of(small_run)],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "pip install 'edgekd[tflite]'" in done.stderr
    assert "Traceback" not in done.stderr
