"""Code of the tests is found by `python -m` in processes of jobs."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def forked_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m forked_code` works."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
