"""Files of the small student, each made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backends.lowered_files import SIZE, variant
from edgekd.lower.backends import get_backend


@pytest.fixture(scope="session")
def lowered(student: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Folder of a backend and precision; each conversion runs once."""
    done: dict[tuple[str, str], Path] = {}

    def lower(name: str, precision: str) -> Path:
        if (name, precision) not in done:
            out = tmp_path_factory.mktemp(f"{name}-{precision}")
            wanted = variant(precision)
            get_backend(name).lower(student.graph, SIZE, wanted, student.calibration, out)
            done[name, precision] = out
        return done[name, precision]

    return lower


@pytest.fixture(scope="session")
def tflite_file(lowered: Any) -> Callable[[str], Path]:
    """The TensorFlow Lite file of a precision."""
    return lambda precision: lowered("tflite", precision) / "model.tflite"
