from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from abuse import procfs
from abuse.bundles import BACKENDS, how_to_get, installed, parts, zip_of
from edgekd.runtime import Classifier

TESTS = Path(__file__).resolve().parent.parent

Loop = Callable[..., dict[str, Any]]


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """Each engine in turn."""
    name: str = request.param
    if not installed(name):
        pytest.skip(how_to_get(name))
    return name


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    """Runs a job of `abuse.loops` in a fresh process and returns what it found."""
    if not procfs.TOLD:
        pytest.skip("needs Linux's /proc, which tells what a process holds: run it on Linux")

    def run(job: str, backend: str, form: str, count: int, warm: int) -> dict[str, Any]:
        home = Path(tempfile.mkdtemp(dir=tmp_path))
        out, temporary = home / "out.json", home / "temporary"
        temporary.mkdir()
        environment = os.environ | {
            "PYTHONPATH": str(TESTS), "TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip
        command = [sys.executable, "-m", "abuse.loops", job, backend, form, str(count), str(warm)]
        done = subprocess.run(
            [*command, str(out)], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        found: dict[str, Any] = json.loads(out.read_text())
        return found

    return run


@pytest.fixture
def classifier() -> Iterator[Classifier]:
    """A small classifier on the first engine that is there."""
    backend = next(filter(installed, BACKENDS))
    with Classifier.open(zip_of(parts(backend)), threads=1) as opened:
        yield opened
