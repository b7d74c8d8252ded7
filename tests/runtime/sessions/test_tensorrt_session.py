"""TensorRT's session, on stand-ins for TensorRT and CUDA: this project's hosts have neither."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgekd.bundle.model_files import ModelFiles
from edgekd.errors import ArtefactError, DeviceUnreachableError
from edgekd.runtime.sessions import open_session
from edgekd.runtime.sessions import tensorrt as trt_session


class FakeCuda:
    """cuda-python's runtime with host memory in the place of the GPU's."""

    cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2)  # noqa: N815

    def __init__(self, fail: str = "") -> None:
        self.fail = fail
        self.memory: dict[int, np.ndarray] = {}
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., tuple[Any, ...]]:
        if name.startswith("_"):
            raise AttributeError(name)

        def call(*arguments: Any) -> tuple[Any, ...]:
            self.calls.append(name)
            if name == self.fail:
                return (2, None)
            return (0, *getattr(self, f"_{name}", lambda *_: ())(*arguments))

        return call

    def _cudaStreamCreate(self) -> tuple[int]:
        return (7,)

    def _cudaMalloc(self, size: int) -> tuple[int]:
        block = np.zeros(size, np.uint8)
        self.memory[block.ctypes.data] = block
        return (block.ctypes.data,)

    def _cudaMemcpyAsync(self, target: int, source: int, size: int, *_: Any) -> tuple[()]:
        import ctypes

        ctypes.memmove(target, source, size)
        return ()

    def _cudaFree(self, address: int) -> tuple[()]:
        del self.memory[address]
        return ()


def fake_tensorrt(cuda: FakeCuda, *, readable: bool = True) -> Any:
    """TensorRT whose engine answers with the first pixel's channels."""
    shapes = {"image": (1, 4, 4, 3), "logits": (1, 3)}
    addresses: dict[str, int] = {}

    def execute(stream: int) -> bool:
        pixels = cuda.memory[addresses["image"]][:3]
        cuda.memory[addresses["logits"]].view(np.float32)[:] = pixels
        return stream == 7

    context = SimpleNamespace(set_tensor_address=addresses.__setitem__, execute_async_v3=execute)
    engine = SimpleNamespace(
        num_io_tensors=2,
        get_tensor_name=lambda index: list(shapes)[index],
        get_tensor_mode=lambda name: name == "image",
        get_tensor_shape=lambda name: shapes[name],
        get_tensor_dtype=lambda name: "uint8" if name == "image" else "float32",
        create_execution_context=lambda: context,
    )
    runtime = SimpleNamespace(
        deserialize_cuda_engine=lambda content: engine if readable else None,
        engine_host_code_allowed=True,
    )
    fake = SimpleNamespace(
        __version__="10.3.0",
        Logger=SimpleNamespace(ERROR=1),
        TensorIOMode=SimpleNamespace(INPUT=True),
        Runtime=lambda logger: runtime,
        nptype=np.dtype,
        runtime=runtime,
    )
    fake.Logger = type("Logger", (), {"ERROR": 1, "__init__": lambda self, level: None})
    return fake


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    file = tmp_path / "model.engine"
    file.write_bytes(b"plan")
    return file


def put_in_place(monkeypatch: pytest.MonkeyPatch, trt: Any, cuda: FakeCuda) -> None:
    monkeypatch.setattr(trt_session, "_import_tensorrt", lambda: trt)
    monkeypatch.setattr(trt_session, "_import_cudart", lambda: cuda)


def test_tensorrt_session_on_a_stand_in(monkeypatch: pytest.MonkeyPatch, plan: Path) -> None:
    cuda = FakeCuda()
    trt = fake_tensorrt(cuda)
    put_in_place(monkeypatch, trt, cuda)
    session = open_session("tensorrt", plan)
    assert trt.runtime.engine_host_code_allowed is False
    image = np.arange(48, dtype=np.uint8).reshape(1, 4, 4, 3)
    first, second = session.run(image), session.run(image + 1)
    assert first.tolist() == [[0, 1, 2]]
    assert second.tolist() == [[1, 2, 3]]
    session.close()
    assert not cuda.memory
    assert cuda.calls[-1] == "cudaStreamDestroy"


def test_tensorrt_engine_of_another_gpu(monkeypatch: pytest.MonkeyPatch, plan: Path) -> None:
    cuda = FakeCuda()
    put_in_place(monkeypatch, fake_tensorrt(cuda, readable=False), cuda)
    with pytest.raises(ArtefactError, match=r"not an engine of TensorRT 10\.3\.0 for this GPU"):
        open_session("tensorrt", plan)


def test_tensorrt_without_a_gpu(monkeypatch: pytest.MonkeyPatch, plan: Path) -> None:
    cuda = FakeCuda(fail="cudaStreamCreate")
    put_in_place(monkeypatch, fake_tensorrt(cuda), cuda)
    with pytest.raises(DeviceUnreachableError, match="cudaStreamCreate"):
        open_session("tensorrt", plan)


def test_tensorrt_engine_from_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bytes] = []
    cuda = FakeCuda()
    trt = fake_tensorrt(cuda)
    engine = trt.runtime.deserialize_cuda_engine(b"")

    def deserialize(content: bytes) -> Any:
        read.append(content)
        return engine

    trt.runtime.deserialize_cuda_engine = deserialize
    put_in_place(monkeypatch, trt, cuda)
    open_session("tensorrt", ModelFiles("model.engine", contents={"model.engine": b"plan"}))
    assert read == [b"plan"]


def test_tensorrt_has_the_gpu_alone(monkeypatch: pytest.MonkeyPatch, plan: Path) -> None:
    cuda = FakeCuda()
    put_in_place(monkeypatch, fake_tensorrt(cuda), cuda)
    for word in (None, "gpu", "GPU"):
        session = open_session("tensorrt", plan, accelerator=word, require=True)
        assert (session.facts["accelerator"], session.warnings) == ("GPU", ())
        session.close()
    (warning,) = open_session("tensorrt", plan, accelerator="cpu").warnings
    assert warning.startswith("cpu was asked for, but a TensorRT engine runs on the GPU")
    held = len(cuda.memory)
    with pytest.raises(DeviceUnreachableError, match="cpu was asked for"):
        open_session("tensorrt", plan, accelerator="cpu", require=True)
    assert len(cuda.memory) == held  # what it took before it was refused it gave back
