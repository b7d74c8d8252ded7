"""An engine file, and a session of it on the stand-ins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_tensorrt import FakeCuda, fake_tensorrt, put_in_place, with_sidecar

from edgekd.runtime.sessions import open_session


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    file = tmp_path / "model.engine"
    file.write_bytes(b"plan")
    return file


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, plan: Path) -> Callable[..., tuple[Any, FakeCuda, Any]]:
    """Opens the plan on the stand-ins, which keep what happened."""

    def make(fail: str = "", **options: bool) -> tuple[Any, FakeCuda, Any]:
        cuda = FakeCuda()
        trt = fake_tensorrt(cuda, **options)
        with_sidecar(plan, trt, cuda)
        cuda.fail = fail
        put_in_place(monkeypatch, trt, cuda)
        return open_session("tensorrt", plan), cuda, trt

    return make
