"""A session in the place of TensorRT's, for machines without its GPU.

It is a third party's backend, found by every process through its entry point. It reads the engine
with its sidecar, as TensorRT's session does, and lets an ONNX file answer.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekd.lower.backends.tensorrt.finish import Toolchain

RTX = Toolchain(library="tensorrt-rtx", capabilities=("SM86",), session="standin")

_MODULE = """
import os
from dataclasses import replace
from pathlib import Path
from edgekd.extensions.engines.tensorrt import BACKEND
from edgekd.bundle.model_files import ModelFiles
from edgekd.runtime.sessions import onnx
from edgekd.runtime.sessions.tensorrt.sidecar import read_sidecar, check_engine_matches_device

STANDIN = replace(BACKEND, name="standin", session="standin:open_file")

def open_file(model, **options):
    check_engine_matches_device(model, model.read(), read_sidecar(model).environment)
    return onnx.open_file(ModelFiles.on_disk(Path(os.environ["STANDIN_ONNX"])), **options)
"""


def install(home: Path, answering: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make it known to the processes of this test.

    Args:
        home: A folder for it, to be made.
        answering: The ONNX file that answers.
        monkeypatch: Of the test.
    """
    about = home / "standin-1.dist-info"
    about.mkdir(parents=True)
    (home / "standin.py").write_text(_MODULE)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: standin\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[edgekd.backends]\nstandin = standin:STANDIN\n")
    monkeypatch.setenv("PYTHONPATH", str(home))
    monkeypatch.setenv("STANDIN_ONNX", str(answering))
