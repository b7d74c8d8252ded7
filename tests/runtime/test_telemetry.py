"""OpenVINO's telemetry is silenced before it is imported, and after."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from edgekd.runtime import telemetry


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
