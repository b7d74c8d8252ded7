"""The vectors, written once for all workers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgekd.conformance import Vectors, write_vectors
from edgekd.conformance.check import read_vectors


@pytest.fixture(scope="session")
def vectors_folder(made_once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    pytest.importorskip("cryptography", reason="needs pip install 'edgekd[signature]'")
    return made_once("vectors", lambda folder: write_vectors(folder) and None)


@pytest.fixture(scope="session")
def vectors(vectors_folder: Path) -> Vectors:
    return read_vectors(vectors_folder)
