"""TensorFlow Lite files, on LiteRT or on the older tflite-runtime."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from edgekd.errors import MissingDependencyError
from edgekd.runtime.sessions._engine import (
    EngineSession,
    check_contract,
    damaged,
    require_file,
    version_of,
)
from edgekd.runtime.sessions.base import Facts, Image, Logits

__all__ = ["TfliteSession", "open_file"]

_INTERPRETERS = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter")


def open_file(model: Path, *, threads: int | None = None) -> TfliteSession:
    """Open a `.tflite` file; without `threads` it runs on one. Errors: see `open_session`."""
    interpreter_class = _import_interpreter()
    require_file(model)
    used = threads or 1
    try:
        interpreter = interpreter_class(model_path=str(model), num_threads=used)
        interpreter.allocate_tensors()
        takes, gives = interpreter.get_input_details(), interpreter.get_output_details()
    except (ValueError, RuntimeError) as error:
        raise damaged(model, "TensorFlow Lite", error) from error
    return TfliteSession(model, interpreter, takes, gives, threads=used)


class TfliteSession(EngineSession):
    """A `.tflite` file on the CPU with XNNPACK; opened by `open_file`."""

    backend = "tflite"

    def __init__(
        self,
        model: Path,
        interpreter: Any,
        takes: list[dict[str, Any]],
        gives: list[dict[str, Any]],
        *,
        threads: int,
    ) -> None:
        shape, classes = check_contract(model, _described(takes), _described(gives))
        facts: Facts = {
            "engine": version_of("ai-edge-litert", "tflite-runtime"),
            "threads": threads,
            "xnnpack_partitions": _count_partitions(interpreter),
        }
        super().__init__(model, shape, classes, facts)
        self._interpreter = interpreter
        self._input = takes[0]["index"]
        self._output = gives[0]["index"]

    def _infer(self, image: Image) -> Logits:
        self._interpreter.set_tensor(self._input, image)
        self._interpreter.invoke()
        logits: Logits = self._interpreter.get_tensor(self._output)  # a copy by definition
        return logits

    def _release(self) -> None:
        self._interpreter = None


def _import_interpreter() -> Any:
    for name in _INTERPRETERS:
        try:
            return import_module(name).Interpreter
        except ImportError:
            continue
    raise MissingDependencyError("ai-edge-litert", "tflite", "run a TensorFlow Lite file")


def _described(details: list[dict[str, Any]]) -> tuple[tuple[int, ...], str]:
    """Shape and dtype of the only tensor; what cannot be right where there are more."""
    if len(details) != 1:
        return (), f"{len(details)} tensors"
    shape = tuple(int(side) for side in details[0]["shape"])
    return shape, np.dtype(details[0]["dtype"]).name


def _count_partitions(interpreter: Any) -> int | None:
    """Number of subgraphs that XNNPACK took (1 is best), or None where it cannot be told.

    The only way to ask is private, so any failure counts as "cannot be told".
    """
    try:
        operators = interpreter._get_ops_details()
        return [operator["op_name"] for operator in operators].count("DELEGATE")
    except Exception:
        return None
