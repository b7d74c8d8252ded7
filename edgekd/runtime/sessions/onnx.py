"""ONNX files on ONNX Runtime's CPU provider."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgekd.errors import MissingDependencyError
from edgekd.runtime._telemetry import silence
from edgekd.runtime.sessions._engine import (
    EngineSession,
    check_contract,
    damaged,
    require_file,
    version_of,
)
from edgekd.runtime.sessions.base import Facts, Image, Logits

__all__ = ["OnnxSession", "open_file"]

_ERROR = 3  # ONNX Runtime's severities: 0 verbose, 1 info, 2 warning, 3 error, 4 fatal
_DTYPES = {"tensor(uint8)": "uint8", "tensor(float)": "float32"}


def open_file(model: Path, *, threads: int | None = None) -> OnnxSession:
    """Open a `.onnx` file on the CPU. Errors: see `open_session`."""
    ort = _import_onnxruntime()
    require_file(model)
    options = ort.SessionOptions()
    options.log_severity_level = _ERROR
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = threads or 0  # 0: one per core
    try:
        session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common base of their own
        raise damaged(model, "ONNX Runtime", error) from error
    return OnnxSession(model, session)


class OnnxSession(EngineSession):
    """An ONNX file on the CPU; opened by `open_file`."""

    backend = "onnx"

    def __init__(self, model: Path, session: Any) -> None:
        taken, given = _described(session.get_inputs()), _described(session.get_outputs())
        shape, classes = check_contract(model, taken, given)
        facts: Facts = {
            "engine": version_of("onnxruntime", "onnxruntime-gpu"),
            "threads": session.get_session_options().intra_op_num_threads or None,
            "providers": ",".join(session.get_providers()),
        }
        super().__init__(model, shape, classes, facts)
        self._session = session
        self._input = session.get_inputs()[0].name

    def _infer(self, image: Image) -> Logits:
        logits: Logits = self._session.run(None, {self._input: image})[0]
        return logits

    def _release(self) -> None:
        self._session = None


def _import_onnxruntime() -> Any:
    silence()
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError("onnxruntime", "onnx", "run an ONNX file") from error
    return onnxruntime


def _described(ports: list[Any]) -> tuple[tuple[int, ...], str]:
    """Shape and numpy dtype of the only port; a dynamic side counts as -1."""
    if len(ports) != 1:
        return (), f"{len(ports)} tensors"
    shape = tuple(side if isinstance(side, int) else -1 for side in ports[0].shape)
    return shape, _DTYPES.get(ports[0].type, str(ports[0].type))
