"""OpenVINO's telemetry is silenced before it is imported, and after."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgekd.runtime import telemetry


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


def test_telemetry_that_was_imported_before_is_idled(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []

    class TelemetrySender:
        def send(self, backend: object, message: str) -> None:
            sent.append(message)

    monkeypatch.setitem(sys.modules, "openvino_telemetry", SimpleNamespace())
    sender = SimpleNamespace(TelemetrySender=TelemetrySender)
    monkeypatch.setitem(sys.modules, "openvino_telemetry.utils.sender", sender)
    telemetry.silence()
    TelemetrySender().send(None, "import")
    assert not sent
