"""Running one engine: pinned buffers, a stream, and a CUDA graph where the engine allows one.

Sources: NVIDIA TensorRT documentation, "Performance best practices" (an engine is run once before
it is captured; captured with mode ThreadLocal, as in `trtexec`); CUDA runtime API, "Memory
management" (asynchronous copies need page-locked host memory) and "Graph management".
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgekd.errors import ArtefactError, EdgekdError
from edgekd.runtime.sessions.base import Image, Output
from edgekd.runtime.sessions.tensorrt.environment import cuda_call

if TYPE_CHECKING:
    import tensorrt

__all__ = ["EngineRun"]

Tensor = tuple[str, tuple[int, ...]]
"""Name and shape of a tensor."""


class EngineRun:
    """Runs an engine, always from the same buffers.

    Args:
        cudart: cuda-python's runtime.
        engine: A deserialised TensorRT engine.
        image: Its input, uint8.
        output: Its output, float32.

    Attributes:
        graph_failure: Why there is no CUDA graph; None where there is one.

    Raises:
        DeviceUnreachableError: The GPU does not answer, or lacks memory.
        ArtefactError: The engine does not run.
    """

    def __init__(
        self, cudart: Any, engine: tensorrt.ICudaEngine, image: Tensor, output: Tensor
    ) -> None:
        self._cudart = cudart
        self._pinned: list[int] = []
        self._device: list[int] = []
        self._stream: Any = None
        self._graph: Any = None
        self._engine: Any = engine
        self._context: Any = engine.create_execution_context()
        self.graph_failure: str | None = None
        try:
            if self._context is None:
                raise ArtefactError("TensorRT makes no context of the engine", "free some memory")
            self._stream = self._call("cudaStreamCreate")
            self._image = self._buffer(*image, np.dtype(np.uint8))
            self._result = self._buffer(*output, np.dtype(np.float32))
            self._enqueue()
            self._call("cudaStreamSynchronize", self._stream)
            self._capture()
        except BaseException:
            with suppress(EdgekdError):  # raise the first error, not one that it causes
                self.close()
            raise

    def __call__(self, image: Image) -> Output:
        """Output [1, …] for an image [1, S, S, 3]; a copy for the caller."""
        self._image[...] = image
        if self._graph is not None:
            self._call("cudaGraphLaunch", self._graph, self._stream)
        else:
            self._enqueue()
        self._call("cudaStreamSynchronize", self._stream)
        return self._result.copy()

    def close(self) -> None:
        """Free all resources, even if freeing one of them fails.

        Raises:
            DeviceUnreachableError: CUDA failed; the message names the first error.
        """
        stream = [] if self._stream is None else [self._stream]
        errors: list[EdgekdError] = []

        def free(function: str, handles: Sequence[Any]) -> None:
            for handle in handles:
                try:
                    self._call(function, handle)
                except EdgekdError as error:
                    errors.append(error)

        free("cudaStreamSynchronize", stream)
        free("cudaGraphExecDestroy", [] if self._graph is None else [self._graph])
        self._graph = self._context = self._engine = None  # before the memory that they point to
        free("cudaFree", self._device)
        free("cudaFreeHost", self._pinned)
        free("cudaStreamDestroy", stream)
        self._device, self._pinned, self._stream = [], [], None
        if errors:
            raise errors[0]

    def _buffer(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Page-locked memory for a tensor, and memory on the GPU that is bound to the context."""
        size = math.prod(shape) * dtype.itemsize
        pinned = int(self._call("cudaHostAlloc", size, self._cudart.cudaHostAllocDefault))
        self._pinned.append(pinned)
        device = int(self._call("cudaMalloc", size))
        self._device.append(device)
        self._context.set_tensor_address(name, device)
        memory = (ctypes.c_uint8 * size).from_address(pinned)
        array: NDArray[Any] = np.ctypeslib.as_array(memory).view(dtype).reshape(shape)
        array[...] = 0
        return array

    def _enqueue(self) -> None:
        """Copy the image to the GPU, run the engine, copy the output back; all on the stream."""
        kinds, (image, output) = self._cudart.cudaMemcpyKind, self._device
        self._copy(image, self._image, kinds.cudaMemcpyHostToDevice)
        if not self._context.execute_async_v3(int(self._stream)):
            raise ArtefactError("TensorRT could not run the engine", "see `edgekd doctor`")
        self._copy(output, self._result, kinds.cudaMemcpyDeviceToHost)

    def _copy(self, device: int, host: NDArray[Any], kind: Any) -> None:
        pinned, there = host.ctypes.data, kind == self._cudart.cudaMemcpyKind.cudaMemcpyHostToDevice
        target, source = (device, pinned) if there else (pinned, device)
        self._call("cudaMemcpyAsync", target, source, host.nbytes, kind, self._stream)

    def _capture(self) -> None:
        """Record the stream's work as one CUDA graph; the engine also runs without one."""
        try:
            graph = self._recorded()
            self._graph = self._call("cudaGraphInstantiate", graph, 0)
            self._call("cudaGraphDestroy", graph)
        except EdgekdError as error:
            self.graph_failure = str(error)
            self._cudart.cudaGetLastError()  # else the next call would report it

    def _recorded(self) -> Any:
        mode = self._cudart.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._call("cudaStreamBeginCapture", self._stream, mode)
        try:
            self._enqueue()
        except EdgekdError:
            self._cudart.cudaStreamEndCapture(self._stream)  # a stream stays in capture otherwise
            raise
        return self._call("cudaStreamEndCapture", self._stream)

    def _call(self, function: str, *arguments: Any) -> Any:
        return cuda_call(self._cudart, function, *arguments)
