"""Keeps libraries from the network, since they run next to patient data."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

__all__ = ["silence", "without_requests"]


def silence() -> None:
    """Switch off the telemetry of ONNX Runtime and OpenVINO in this process.

    Call it before the engines are imported; calling it again does nothing. Each child process
    must call it too.

    * ONNX Runtime (1.31 and later carries an uploader that is on by default) reads
      `ORT_DISABLE_TELEMETRY`.
    * OpenVINO sends through the separate package `openvino_telemetry`: one event at
      `import openvino` (seen with 2026.4.1), more at `convert_model`, and NNCF sends its
      own, unless a file in the user's home disables it. No environment variable switches it off,
      so the import of that package is blocked: OpenVINO and NNCF then use their built-in stubs.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    _block_openvino_telemetry()


@contextlib.contextmanager
def without_requests() -> Iterator[None]:
    """Import pydicom, or what imports it, within this block: it reaches no network.

    pydicom imports `requests`, if installed, to fetch its examples, and thereby urllib3, which
    opens a socket to test for IPv6. The import of both is prevented here.
    """
    absent = not sys.modules.keys() & {"pydicom", "requests"}
    if absent:
        # None in sys.modules is Python's own way to say "not importable".
        sys.modules["requests"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if absent:
            sys.modules.pop("requests", None)


def _block_openvino_telemetry() -> None:
    """Make `import openvino_telemetry` fail, or disable the senders if it is imported already."""
    loaded = sys.modules.get("openvino_telemetry")
    if loaded is None:
        # None in sys.modules is Python's own way to say "not importable".
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
        return
    sender = getattr(sys.modules.get("openvino_telemetry.utils.sender"), "TelemetrySender", None)
    if sender is not None:
        sender.send = _send_nothing


def _send_nothing(*_args: object, **_kwargs: object) -> None:
    return None
