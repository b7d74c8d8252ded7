"""`benchmarks/run.py` with a Python that has no edgekd."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "run.py"


def start(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # -S: no site-packages, so no edgekd, whatever Python runs the tests.
    command = [sys.executable, "-S", str(script), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def copied(tmp_path: Path) -> Path:
    script = tmp_path / "benchmarks" / "run.py"
    script.parent.mkdir()
    shutil.copy(SCRIPT, script)
    return script


def test_without_edgekd_and_without_environment_one_line_says_what_to_do(tmp_path):
    done = start(copied(tmp_path))
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "make demo" in done.stderr


def test_the_checkouts_environment_takes_over(tmp_path):
    script = copied(tmp_path)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "again: $2 $3"\n')
    python.chmod(0o755)
    done = start(script, "--device", "cpu")
    assert (done.returncode, done.stdout) == (0, "again: --device cpu\n")


def test_an_environment_without_edgekd_does_not_call_itself_for_ever(tmp_path):
    script = copied(tmp_path)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    python.chmod(0o755)
    assert start(script).returncode == 3
