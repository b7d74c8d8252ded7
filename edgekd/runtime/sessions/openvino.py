"""OpenVINO IR files (`model.xml` with `model.bin` beside it) on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

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

__all__ = ["OpenVinoSession", "open_file"]

_RECORDED = {
    "precision_hint": "INFERENCE_PRECISION_HINT",
    "performance_hint": "PERFORMANCE_HINT",
    "threads": "INFERENCE_NUM_THREADS",
    "streams": "NUM_STREAMS",
    "devices": "EXECUTION_DEVICES",
}


def open_file(
    model: Path, *, threads: int | None = None, precision: str = "f32"
) -> OpenVinoSession:
    """Open an IR file for lowest latency of one image. Errors: see `open_session`.

    Args:
        model: The `.xml` file; its weights are the `.bin` of the same name.
        threads: Number of CPU threads, or None for OpenVINO's choice.
        precision: Type of the float arithmetic: `f32`, `bf16` or `f16`. Without the hint OpenVINO
            takes bf16 on recent Xeons and f16 on ARM, and an fp32 file would not run as fp32.
            It holds for int8 files too, for the layers that are not quantised.
    """
    ov = _import_openvino()
    require_file(model)
    require_file(model.with_suffix(".bin"))
    try:
        network = ov.Core().read_model(str(model))
        taken, given = _described(network.inputs), _described(network.outputs)
        compiled = ov.Core().compile_model(network, "CPU", _settings(threads, precision))
    except RuntimeError as error:
        raise damaged(model, "OpenVINO", error) from error
    return OpenVinoSession(model, compiled, check_contract(model, taken, given))


class OpenVinoSession(EngineSession):
    """An IR file on the CPU; opened by `open_file`."""

    backend = "openvino"

    def __init__(self, model: Path, compiled: Any, contract: tuple[tuple[int, ...], int]) -> None:
        facts: Facts = {"engine": version_of("openvino")}
        facts |= {name: _obtained(compiled, key) for name, key in _RECORDED.items()}
        super().__init__(model, *contract, facts)
        self._request = compiled.create_infer_request()

    def _infer(self, image: Image) -> Logits:
        result = self._request.infer(image, share_inputs=True, share_outputs=True)
        # The result lives in the request's memory, which the next image overwrites.
        return np.array(result[0], dtype=np.float32)

    def _release(self) -> None:
        self._request = None


def _import_openvino() -> Any:
    silence()
    try:
        import openvino
    except ImportError as error:
        raise MissingDependencyError("openvino", "openvino", "run an OpenVINO file") from error
    return openvino


def _settings(threads: int | None, precision: str) -> dict[str, str | int]:
    settings: dict[str, str | int] = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": precision,
    }
    return settings if threads is None else settings | {"INFERENCE_NUM_THREADS": threads}


def _described(ports: list[Any]) -> tuple[tuple[int, ...], str]:
    """Shape and numpy dtype of the only port; a dynamic side counts as -1."""
    if len(ports) != 1:
        return (), f"{len(ports)} tensors"
    sides = ports[0].get_partial_shape()
    shape = tuple(side.get_length() if side.is_static else -1 for side in sides)
    return shape, np.dtype(ports[0].get_element_type().to_dtype()).name


def _obtained(compiled: Any, key: str) -> str | int | None:
    try:
        value = compiled.get_property(key)
    except RuntimeError:
        return None  # an older OpenVINO, or a plugin without that property
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return str(getattr(value, "to_string", lambda: value)())
