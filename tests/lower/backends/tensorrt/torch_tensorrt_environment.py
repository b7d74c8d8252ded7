"""The Python of torch-tensorrt: an environment of its own, above the one that tests run in.

torch-tensorrt-rtx asks for another TensorRT-RTX than the extra `tensorrt-check` has, so that no
installer puts both into one environment. Only what `torch-tensorrt.txt` pins is installed (240 MB,
without asking for dependencies); everything else, PyTorch too, is found in the environment below.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from filelock import FileLock

__all__ = ["torch_tensorrt_python"]

_HERE = Path(__file__).parent
_REQUIREMENTS = _HERE / "torch-tensorrt.txt"
_FOLDER = _HERE.parents[3] / ".edgekd-cache" / "torch-tensorrt"
_STAMP = ".made-from"


def torch_tensorrt_python() -> Path:
    """Its interpreter; the test is skipped where the environment cannot be made."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        pytest.skip("torch-tensorrt-rtx has wheels for Linux on x86-64 alone: run it there")
    made_from = _made_from()
    stamp = _FOLDER / _STAMP
    _FOLDER.parent.mkdir(exist_ok=True)
    with FileLock(f"{_FOLDER}.lock"):
        if not stamp.is_file() or stamp.read_text() != made_from:
            shutil.rmtree(_FOLDER, ignore_errors=True)
            _make(_FOLDER)
            stamp.write_text(made_from)
    return _FOLDER / "bin" / "python"


def _made_from() -> str:
    requirements = hashlib.sha256(_REQUIREMENTS.read_bytes()).hexdigest()
    return f"{requirements} {sys.executable} {sys.version}"


def _make(folder: Path) -> None:
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.is_file() else shutil.which("uv")
    if uv is None:
        pytest.skip("there is no uv to make the environment of torch-tensorrt: make setup")
    _run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)])
    (site,) = folder.glob("lib/python*/site-packages")
    below = sysconfig.get_path("purelib")
    (site / "below.pth").write_text(f"import site; site.addsitedir({below!r})\n")
    python = str(folder / "bin" / "python")
    install = [uv, "pip", "install", "--quiet", "--no-deps", "--python", python]
    _run([*install, "-r", str(_REQUIREMENTS)])


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        pytest.skip(
            f"torch-tensorrt cannot be installed here ({lines[-1].strip()}): `make torchtrt` where "
            "a package registry can be reached"
        )
