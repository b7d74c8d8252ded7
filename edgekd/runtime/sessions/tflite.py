"""TensorFlow Lite files, on LiteRT or on the older tflite-runtime."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from edgekd.bundle.model_files import ModelFiles
from edgekd.errors import MissingDependencyError
from edgekd.runtime.sessions._delegate import (
    GraphSplit,
    delegate_refused,
    delegate_shortfall,
    load_delegate,
    split_of,
    xnnpack_shortfall,
)
from edgekd.runtime.sessions._engine import (
    EngineSession,
    Shortfall,
    check_contract,
    damaged_model,
    require_file,
    version_of,
)
from edgekd.runtime.sessions.base import Facts, Image, Output

__all__ = ["TfliteSession", "open_file"]

_INTERPRETERS = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter")


def open_file(
    model: ModelFiles,
    *,
    threads: int | None = None,
    accelerator: str | None = None,
    require: bool = False,
) -> TfliteSession:
    """Open a `.tflite` file; without `threads` it runs on one. See `open_session` for the rest.

    A delegate's library is code that this process runs: never take its path from untrusted input.
    """
    module = _import_interpreter()
    require_file(model)
    delegate, shortfall = load_delegate(module, accelerator)
    opened, used = None, threads or 1
    if delegate is not None:
        try:
            opened = _interpreter(module, model, used, [delegate])
        except (ValueError, RuntimeError) as error:
            shortfall = delegate_refused(accelerator, error)
    delegated = accelerator if opened else None
    try:
        interpreter, split = opened or _interpreter(module, model, used, [])
        session = TfliteSession(model, interpreter, used, accelerator, delegated, split, shortfall)
    except (ValueError, RuntimeError) as error:  # UnicodeDecodeError: a tensor's name is damaged
        raise damaged_model(model, "TensorFlow Lite", error) from error
    if require:
        session.require_all()
    return session


class TfliteSession(EngineSession):
    """A `.tflite` file on XNNPACK, or on a delegate that was requested; opened by `open_file`."""

    backend = "tflite"

    def __init__(
        self,
        model: ModelFiles,
        interpreter: Any,
        threads: int,
        requested: str | None,
        delegate: str | None,
        split: GraphSplit | None,
        shortfall: Shortfall | None,
    ) -> None:
        takes, gives = interpreter.get_input_details(), interpreter.get_output_details()
        contract = check_contract(model, _described(takes), _described(gives))
        xnnpack = _xnnpack_pieces(interpreter, split)
        facts: Facts = {
            "engine": version_of("ai-edge-litert", "tflite-runtime"),
            "threads": threads,
            "xnnpack_partitions": xnnpack,
            "delegate_partitions": split.pieces if split else None,
            "accelerator_asked": requested,
            "accelerator": _obtained(delegate, split, xnnpack),
        }
        if delegate is not None:
            shortfalls = [delegate_shortfall(delegate, split)]
        else:
            shortfalls = [shortfall, xnnpack_shortfall(xnnpack)]
        super().__init__(model, contract, facts, [one for one in shortfalls if one])
        self._interpreter = interpreter
        self._input = takes[0]["index"]
        self._output = gives[0]["index"]

    def _infer(self, image: Image) -> Output:
        self._interpreter.set_tensor(self._input, image)
        self._interpreter.invoke()
        output: Output = self._interpreter.get_tensor(self._output)  # always a copy
        return output

    def _release(self) -> None:
        self._interpreter = None


def _import_interpreter() -> Any:
    for name in _INTERPRETERS:
        try:
            return import_module(name)
        except ImportError:
            continue
    raise MissingDependencyError("ai-edge-litert", "tflite", "run a TensorFlow Lite file")


def _interpreter(
    module: Any, model: ModelFiles, threads: int, delegates: list[Any]
) -> tuple[Any, GraphSplit | None]:
    """An interpreter with allocated tensors, and the division of its graph among delegates."""
    source: dict[str, Any] = (
        {"model_content": model.read()} if model.path is None else {"model_path": str(model.path)}
    )
    interpreter = module.Interpreter(
        **source, num_threads=threads, experimental_delegates=delegates
    )
    # XNNPACK is applied by allocate_tensors: before that, only the given delegates have nodes.
    split = split_of(interpreter) if delegates else None
    interpreter.allocate_tensors()
    return interpreter, split


def _xnnpack_pieces(interpreter: Any, delegated: GraphSplit | None) -> int | None:
    split = split_of(interpreter)
    return None if split is None else split.pieces - (delegated.pieces if delegated else 0)


def _obtained(delegate: str | None, split: GraphSplit | None, xnnpack: int | None) -> str:
    if delegate is not None and split is not None and split.pieces:
        return delegate
    return "XNNPACK" if xnnpack else "CPU"


def _described(details: list[dict[str, Any]]) -> tuple[tuple[int, ...], str]:
    """Shape and dtype of the only tensor; if there are more, values that are refused later."""
    if len(details) != 1:
        return (), f"{len(details)} tensors"
    shape = tuple(int(side) for side in details[0]["shape"])
    return shape, np.dtype(details[0]["dtype"]).name
