"""OpenVINO files on devices that cannot take them, or do not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edgekd.runtime.sessions import open_session
from edgekd.runtime.sessions._openvino_device import device_shortfall
from sessions.small_models import images

openvino = pytest.importorskip("openvino")


def test_a_device_that_cannot_take_the_file(files: dict[str, Path]) -> None:
    session = open_session("openvino", files["openvino"], accelerator="HETERO:")
    (warning,) = session.warnings
    assert "OpenVINO cannot compile for it: " in warning
    assert session.run(images(1)[0]).shape == (1, 3)


def test_a_file_that_runs_elsewhere_is_told(files: dict[str, Path]) -> None:
    compiled = openvino.Core().compile_model(str(files["openvino"]), "CPU")
    for device in ("CPU", "AUTO", "AUTO:GPU,CPU", "HETERO:CPU"):
        assert device_shortfall(compiled, device) is None
    for device in ("GPU", "NPU", "HETERO:GPU,CPU"):
        assert "OpenVINO runs the file on CPU" in str(device_shortfall(compiled, device))


def test_openvino_session_sends_nothing(files: dict[str, Path]) -> None:
    code = (
        "import os, socket, sys\n"
        "def refuse(*arguments, **options):\n"
        "    os._exit(9)\n"
        "socket.getaddrinfo = socket.socket.connect = refuse\n"
        "from pathlib import Path\n"
        "from edgekd.runtime.sessions import open_session\n"
        f"open_session('openvino', Path({str(files['openvino'])!r}))\n"
        "sys.exit(sys.modules['openvino_telemetry'] is not None)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
