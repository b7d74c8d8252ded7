"""Serialized TensorRT engines (10.x, 11.x) on the GPU, through cuda-python."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from edgekd.bundle.model_files import ModelFiles
from edgekd.errors import DeviceUnreachableError, MissingDependencyError
from edgekd.runtime.sessions._engine import (
    EngineSession,
    Shortfall,
    check_contract,
    damaged,
    require_file,
)
from edgekd.runtime.sessions.base import Facts, Image, Logits

__all__ = ["TensorRtSession", "open_file"]

_CUDART = ("cuda.bindings.runtime", "cuda.cudart")  # the second until cuda-python 12


def open_file(
    model: ModelFiles,
    *,
    threads: int | None = None,
    accelerator: str | None = None,
    require: bool = False,
) -> TensorRtSession:
    """Open a serialized engine. Errors: see `open_session`.

    Args:
        model: The engine, built on this very device by `edgekd.lower.engine.builder`.
        threads: Taken for likeness with the other sessions; the GPU does the work.
        accelerator: Likewise; what is not `gpu` is not obtained.
        require: See `open_session`.
    """
    del threads
    trt, cudart = _import_tensorrt(), _import_cudart()
    require_file(model)
    runtime = trt.Runtime(trt.Logger(trt.Logger.ERROR))
    # A version-compatible engine carries host code; to load one is to run foreign code.
    runtime.engine_host_code_allowed = False
    engine = runtime.deserialize_cuda_engine(model.read())
    if engine is None:
        # The usual cause: built by another TensorRT version or on another GPU.
        reason = ValueError(f"not an engine of TensorRT {trt.__version__} for this GPU")
        raise damaged(model, "TensorRT", reason)
    session = TensorRtSession(model, trt, cudart, engine, accelerator)
    if require:
        session.insist()
    return session


class TensorRtSession(EngineSession):
    """An engine with its buffers and one stream; opened by `open_file`."""

    backend = "tensorrt"

    def __init__(
        self, model: ModelFiles, trt: Any, cudart: Any, engine: Any, asked: str | None
    ) -> None:
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        inputs = [name for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
        outputs = [name for name in names if name not in inputs]
        taken, given = _described(trt, engine, inputs), _described(trt, engine, outputs)
        shape, classes = check_contract(model, taken, given)
        facts: Facts = {
            "engine": f"tensorrt {trt.__version__}",
            "accelerator_asked": asked,
            "accelerator": "GPU",
        }
        super().__init__(model, (shape, classes), facts, _shortfalls(asked))
        self._engine, self._cudart = engine, cudart
        self._context = engine.create_execution_context()
        self._logits = np.empty((1, classes), np.float32)
        self._device: dict[str, int] = {}
        self._input, self._output = inputs[0], outputs[0]
        self._stream = self._call("cudaStreamCreate")
        self._allocate(self._input, int(np.prod(shape)))
        self._allocate(self._output, self._logits.nbytes)

    def _allocate(self, name: str, size: int) -> None:
        self._device[name] = int(self._call("cudaMalloc", size))
        self._context.set_tensor_address(name, self._device[name])

    def _infer(self, image: Image) -> Logits:
        kinds, logits = self._cudart.cudaMemcpyKind, self._logits
        source, target = self._device[self._output], self._device[self._input]
        self._copy(target, image.ctypes.data, image.nbytes, kinds.cudaMemcpyHostToDevice)
        if not self._context.execute_async_v3(int(self._stream)):
            raise RuntimeError(f"TensorRT could not run {self._name}")
        self._copy(logits.ctypes.data, source, logits.nbytes, kinds.cudaMemcpyDeviceToHost)
        self._call("cudaStreamSynchronize", self._stream)
        return logits.copy()

    def _copy(self, target: int, source: int, size: int, kind: Any) -> None:
        self._call("cudaMemcpyAsync", target, source, size, kind, self._stream)

    def _release(self) -> None:
        self._call("cudaStreamSynchronize", self._stream)
        self._context = self._engine = None  # before the memory that they point to
        for address in self._device.values():
            self._call("cudaFree", address)
        self._call("cudaStreamDestroy", self._stream)

    def _call(self, function: str, *arguments: Any) -> Any:
        """Result of a call to the CUDA runtime, which answers (status, result…)."""
        status, *results = getattr(self._cudart, function)(*arguments)
        if int(status) != 0:
            message = f"CUDA failed in {function}: {status!s}"
            raise DeviceUnreachableError(message, "check the GPU with nvidia-smi or tegrastats")
        return results[0] if results else None


def _shortfalls(asked: str | None) -> list[Shortfall]:
    if asked is None or asked.lower() == "gpu":
        return []
    what = f"{asked} was asked for, but a TensorRT engine runs on the GPU that it was built for"
    return [Shortfall(what, "it runs there", "leave the accelerator out, or take another backend")]


def _described(trt: Any, engine: Any, names: list[str]) -> tuple[tuple[int, ...], str]:
    """Shape and numpy dtype of the only tensor; a dynamic side is -1, as TensorRT says it."""
    if len(names) != 1:
        return (), f"{len(names)} tensors"
    shape = tuple(int(side) for side in engine.get_tensor_shape(names[0]))
    return shape, np.dtype(trt.nptype(engine.get_tensor_dtype(names[0]))).name


def _import_tensorrt() -> Any:
    try:
        return import_module("tensorrt")
    except ImportError as error:
        missing = MissingDependencyError("TensorRT", "tensorrt", "run an engine on the GPU")
        missing.hint = (
            "TensorRT comes with JetPack (apt install tensorrt python3-libnvinfer), "
            "elsewhere with pip install tensorrt"
        )
        raise missing from error


def _import_cudart() -> Any:
    for name in _CUDART:
        try:
            return import_module(name)
        except ImportError:
            continue
    raise MissingDependencyError("cuda-python", "tensorrt", "move images to the GPU")
