"""What a device has installed: two environments with one engine each and nothing of the host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from emulation.missing import MissingError, run_or_miss
from emulation.userland import HERE, OLD, OLD_PYTHON, PINNED, REPOSITORY, uv

RUNNER = HERE / "runner.py"


def build_wheel(folder: Path) -> None:
    """Build the wheel of this checkout into `folder`."""
    run_or_miss([uv(), "build", "--wheel", "-q", "-o", str(folder), str(REPOSITORY)], "the wheel")


def make_environments(folder: Path, wheel: Path) -> None:
    """Make `folder/litert` and, where there is a Python for it, `folder/tflite`."""
    constraints = ("-c", str(REPOSITORY / "constraints.txt"))
    _make(folder / "litert", sys.executable, [*constraints, *PINNED], wheel)
    if _has_python(OLD_PYTHON):
        _make(folder / "tflite", OLD_PYTHON, list(OLD), wheel)


def python_of(folder: Path, environment: str) -> Path:
    """The Python of an environment.

    Raises:
        MissingError: It was not made for want of a Python.
    """
    python = folder / environment / "bin" / "python"
    if not python.is_file():
        raise MissingError(f"tflite-runtime wants Python {OLD_PYTHON}: install it beside this one")
    return python


def ask(python: Path | str, bundle: Path, photos: list[Path]) -> dict[str, Any]:
    """What the runner says in a fresh process that knows nothing of this one."""
    with_nothing = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8"}
    # -I: neither this folder nor PYTHONPATH nor the user's own packages count.
    command = [str(python), "-I", str(RUNNER), str(bundle), *map(str, photos)]
    return answer_of(
        subprocess.run(command, capture_output=True, text=True, check=False, env=with_nothing)
    )


def answer_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The JSON of a runner that has ended."""
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _make(folder: Path, python: str, packages: list[str], wheel: Path) -> None:
    inside = str(folder / "bin" / "python")
    purpose = f"making the environment {folder.name}"
    run_or_miss([uv(), "venv", "-q", "-p", python, str(folder)], purpose)
    run_or_miss([uv(), "pip", "install", "-q", "-p", inside, *packages], purpose)
    run_or_miss([uv(), "pip", "install", "-q", "-p", inside, "--no-deps", str(wheel)], purpose)


def _has_python(version: str) -> bool:
    found = subprocess.run(
        [uv(), "python", "find", version],
        capture_output=True,
        check=False,
        env={**os.environ, "UV_PYTHON_DOWNLOADS": "never"},
    )
    return found.returncode == 0
