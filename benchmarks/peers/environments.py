"""A virtual environment for each contestant, from `requirements/`, compiled as on a device."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from edgekd.errors import EdgekdError

__all__ = ["Environments", "UnavailableError", "last_line"]

_REQUIREMENTS = Path(__file__).parent / "requirements"
_REPOSITORY = Path(__file__).parents[2]
_STAMP = ".made-from"
_VERSIONS = (
    "from importlib.metadata import distributions as d; "
    "print(*sorted(x.metadata['Name'] + '==' + x.version for x in d()), sep='\\n')"
)


class UnavailableError(EdgekdError):
    """A contestant cannot be installed or run here; its row says why."""


class Environments:
    """The environments below one folder; each is made on first use.

    Where a file of `requirements/` or edgekd itself has changed, the environment is made again.

    Args:
        home: The folder.
        here: Make none and use this Python for all: for quick trials, not for measurements.
    """

    def __init__(self, home: Path, *, here: bool = False) -> None:
        self.home = home.resolve()
        self._here = here
        self._wheel: Path | None = None

    def python(self, name: str) -> Path:
        """The interpreter of the environment `name`.

        Raises:
            UnavailableError: It cannot be installed.
        """
        if self._here:
            return Path(sys.executable)
        requirements = _REQUIREMENTS / f"{name}.txt"
        wheel = self._built_wheel() if name.startswith("edgekd") else None
        made_from = _digest([requirements, *([wheel] if wheel else [])])
        folder = self.home / name
        stamp = folder / _STAMP
        if not stamp.is_file() or stamp.read_text() != made_from:
            self._make(folder, requirements, wheel)
            stamp.write_text(made_from)
        return folder / "bin" / "python"

    def versions(self, name: str) -> list[str]:
        """`name==version` of every distribution in an environment."""
        return _run([str(self.python(name)), "-c", _VERSIONS]).stdout.split()

    def child_environment(self) -> dict[str, str]:
        """Environment variables of a contestant's process: none of Python's, telemetry off."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        return {**kept, "HOME": str(self._quiet_home()), "ORT_DISABLE_TELEMETRY": "1"}

    def _make(self, folder: Path, requirements: Path, wheel: Path | None) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        _run([_uv(), "venv", "--quiet", "--python", sys.executable, str(folder)])
        install = [_uv(), "pip", "install", "--quiet", "--compile-bytecode", "--no-deps"]
        install += ["--python", str(folder / "bin" / "python")]
        _run([*install, "-r", str(requirements)])
        if wheel:
            _run([*install, str(wheel)])

    def _built_wheel(self) -> Path:
        """Edgekd as a wheel, built once: an editable install has another cold start."""
        if self._wheel is None:
            out = self.home / "wheel"
            shutil.rmtree(out, ignore_errors=True)
            _run([_uv(), "build", "--quiet", "--wheel", "--out-dir", str(out), str(_REPOSITORY)])
            self._wheel = next(out.glob("*.whl"))
        return self._wheel

    def _quiet_home(self) -> Path:
        """A home folder that opts out of OpenVINO's telemetry, as `opt_in_out --opt_out` does."""
        home = self.home / "home"
        answer = home / "intel" / "openvino_telemetry"
        answer.parent.mkdir(parents=True, exist_ok=True)
        answer.write_text("0")
        return home


def _digest(files: Sequence[Path]) -> str:
    return " ".join(hashlib.sha256(file.read_bytes()).hexdigest() for file in files)


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if not found:
        raise EdgekdError("uv is not installed", "make setup")
    return found


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise UnavailableError(last_line(done.stderr), f"tried: {' '.join(command)}")
    return done


def last_line(text: str) -> str:
    """The last line that a failed program printed, for the table."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it ended without a word"
