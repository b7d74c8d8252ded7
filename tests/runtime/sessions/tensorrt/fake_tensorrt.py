"""Stand-ins for TensorRT and CUDA, which compute with host memory and record their calls."""

from __future__ import annotations

import ctypes
import enum
import hashlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgekd.runtime.sessions.tensorrt import session as trt_session
from edgekd.runtime.sessions.tensorrt.environment import engine_environment
from edgekd.runtime.sessions.tensorrt.sidecar import EngineSidecar, write_sidecar

Status = enum.IntEnum("Status", {"cudaSuccess": 0, "cudaErrorMemoryAllocation": 2})


STREAM = 7


class FakeCuda:
    """cuda-python's runtime with host memory in the place of the GPU's.

    What goes to the stream while it is captured is kept, and done when the graph is launched.
    """

    cudaHostAllocDefault = 0  # noqa: N815
    cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2)  # noqa: N815
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal=1)  # noqa: N815

    fails_from = ""
    """From the first call of this function on every one fails, as a broken GPU does it."""

    def __init__(self, fail: str = "") -> None:
        self.fail = fail
        self.broken = False
        self.memory: dict[int, np.ndarray] = {}
        self.calls: list[str] = []
        self.captured: list[Callable[[], object]] | None = None
        self.graphs = 0

    def __getattr__(self, name: str) -> Callable[..., tuple[Any, ...]]:
        if name.startswith("_"):
            raise AttributeError(name)

        def call(*arguments: Any) -> tuple[Any, ...]:
            self.calls.append(name)
            self.broken = self.broken or name == self.fails_from
            if name == self.fail or self.broken:
                return (Status.cudaErrorMemoryAllocation, None)
            return (Status.cudaSuccess, *getattr(self, f"_{name}", lambda *_: ())(*arguments))

        return call

    def do(self, work: Callable[[], object]) -> None:
        if self.captured is None:
            work()
        else:
            self.captured.append(work)

    def _cudaGetDevice(self) -> tuple[int]:
        return (0,)

    def _cudaGetDeviceProperties(self, device: int) -> tuple[Any]:
        return (SimpleNamespace(name=b"Orin\0\0", major=8, minor=7),)

    def _cudaDriverGetVersion(self) -> tuple[int]:
        return (12060,)

    def _cudaStreamCreate(self) -> tuple[int]:
        return (STREAM,)

    def _cudaMalloc(self, size: int) -> tuple[int]:
        block = np.full(size, 99, np.uint8)
        self.memory[block.ctypes.data] = block
        return (block.ctypes.data,)

    def _cudaHostAlloc(self, size: int, flags: int) -> tuple[int]:
        return self._cudaMalloc(size)

    def _cudaMemcpyAsync(self, target: int, source: int, size: int, *_: Any) -> tuple[()]:
        self.do(lambda: ctypes.memmove(target, source, size))
        return ()

    def _cudaFree(self, address: int) -> tuple[()]:
        del self.memory[address]
        return ()

    def _cudaFreeHost(self, address: int) -> tuple[()]:
        return self._cudaFree(address)

    def _cudaStreamBeginCapture(self, stream: int, mode: int) -> tuple[()]:
        self.captured = []
        return ()

    def _cudaStreamEndCapture(self, stream: int) -> tuple[Any]:
        work, self.captured = self.captured, None
        return (work,)

    def _cudaGraphInstantiate(self, graph: Any, flags: int) -> tuple[Any]:
        self.graphs += 1
        return (graph,)

    def _cudaGraphExecDestroy(self, graph: Any) -> tuple[()]:
        self.graphs -= 1
        return ()

    def _cudaGraphLaunch(self, graph: Any, stream: int) -> tuple[()]:
        for work in graph:
            work()
        return ()


class Logger:
    """TensorRT's interface for those who want to read what it says."""

    Severity = SimpleNamespace(ERROR=1, INTERNAL_ERROR=0)

    def __init__(self) -> None: ...


def fake_tensorrt(cuda: FakeCuda, *, readable: bool = True, capturable: bool = True) -> Any:
    """TensorRT whose engine answers with the first pixel's channels."""
    shapes = {"image": (1, 4, 4, 3), "logits": (1, 3)}
    addresses: dict[str, int] = {}

    def answer() -> None:
        pixels = cuda.memory[addresses["image"]][:3]
        cuda.memory[addresses["logits"]].view(np.float32)[:] = pixels

    def execute(stream: int) -> bool:
        if cuda.captured is not None and not capturable:
            return False
        cuda.do(answer)
        return stream == STREAM

    context = SimpleNamespace(set_tensor_address=addresses.__setitem__, execute_async_v3=execute)
    engine = SimpleNamespace(
        num_io_tensors=2,
        get_tensor_name=lambda index: list(shapes)[index],
        get_tensor_mode=lambda name: name == "image",
        get_tensor_shape=lambda name: shapes[name],
        get_tensor_dtype=lambda name: "uint8" if name == "image" else "float32",
        create_execution_context=lambda: context,
    )
    read: list[bytes] = []
    runtime = SimpleNamespace(engine_host_code_allowed=True)

    def deserialize(content: bytes) -> Any:
        assert runtime.engine_host_code_allowed is False
        read.append(content)
        if readable:
            return engine
        fake.logger.log(2, "only a warning")
        fake.logger.log(1, "Version tag does not\n match")
        return None

    def make_runtime(logger: Any) -> Any:
        fake.logger = logger
        return runtime

    runtime.deserialize_cuda_engine = deserialize
    fake = ModuleType("tensorrt")
    fake.__dict__.update(
        __version__="10.3.0",
        ILogger=Logger,
        TensorIOMode=SimpleNamespace(INPUT=True),
        Runtime=make_runtime,
        nptype=np.dtype,
        read=read,
    )
    return fake


def with_sidecar(plan: Path, trt: Any, cuda: FakeCuda) -> EngineSidecar:
    sidecar = EngineSidecar(
        environment=engine_environment(trt, cuda),
        engine_sha256=hashlib.sha256(plan.read_bytes()).hexdigest(),
        onnx_sha256="0" * 64,
        flags={"tf32": False, "workspace_bytes": 99},
    )
    write_sidecar(plan, sidecar)
    return sidecar


def put_in_place(monkeypatch: pytest.MonkeyPatch, trt: Any, cuda: Any) -> None:
    monkeypatch.setattr(trt_session, "_import_tensorrt", lambda: trt)
    monkeypatch.setattr(trt_session, "load_cudart", lambda: cuda)


IMAGE = np.arange(48, dtype=np.uint8).reshape(1, 4, 4, 3)
