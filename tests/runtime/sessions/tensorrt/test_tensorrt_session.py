"""TensorRT's session, on stand-ins for TensorRT and CUDA: this project's hosts have neither.

Where CUDA has no driver, cuda-python itself says so; see the last tests.
"""

from __future__ import annotations

import ctypes
import enum
import hashlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

from edgekd.bundle.model_files import ModelFiles
from edgekd.errors import ArtefactError, DeviceUnreachableError, EdgekdError, InputError
from edgekd.runtime.sessions import open_session
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


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    file = tmp_path / "model.engine"
    file.write_bytes(b"plan")
    return file


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, plan: Path) -> Callable[..., tuple[Any, FakeCuda, Any]]:
    """Opens the plan on the stand-ins, which keep what happened."""

    def make(fail: str = "", **options: bool) -> tuple[Any, FakeCuda, Any]:
        cuda = FakeCuda()
        trt = fake_tensorrt(cuda, **options)
        with_sidecar(plan, trt, cuda)
        cuda.fail = fail
        put_in_place(monkeypatch, trt, cuda)
        return open_session("tensorrt", plan), cuda, trt

    return make


IMAGE = np.arange(48, dtype=np.uint8).reshape(1, 4, 4, 3)


def test_a_graph_runs_the_engine(opened: Callable[..., Any]) -> None:
    session, cuda, _ = opened()
    assert (session.facts["cuda_graph"], session.facts["cuda_graph_failure"]) == (True, None)
    cuda.calls.clear()
    first, second = session.run(IMAGE), session.run(IMAGE + 1)
    assert first.tolist() == [[0, 1, 2]]
    assert second.tolist() == [[1, 2, 3]]
    assert cuda.calls == ["cudaGraphLaunch", "cudaStreamSynchronize"] * 2
    session.close()
    assert not cuda.memory
    assert cuda.graphs == 0
    assert cuda.calls[-1] == "cudaStreamDestroy"


@pytest.mark.parametrize(
    ("fail", "capturable", "why"),
    [
        ("cudaStreamBeginCapture", True, "cudaStreamBeginCapture: cudaErrorMemoryAllocation"),
        ("cudaGraphInstantiate", True, "cudaGraphInstantiate: cudaErrorMemoryAllocation"),
        ("", False, "TensorRT could not run the engine"),
    ],
)
def test_without_a_graph_it_runs_all_the_same(
    opened: Callable[..., Any], fail: str, capturable: bool, why: str
) -> None:
    session, cuda, _ = opened(fail, capturable=capturable)
    assert session.facts["cuda_graph"] is False
    assert why in session.facts["cuda_graph_failure"]
    assert cuda.captured is None  # the stream is no longer in capture
    assert "cudaGetLastError" in cuda.calls
    assert session.run(IMAGE).tolist() == [[0, 1, 2]]
    assert session.run(IMAGE + 7).tolist() == [[7, 8, 9]]
    session.close()
    assert not cuda.memory


def test_what_an_engine_says_of_itself(opened: Callable[..., Any]) -> None:
    session, _, _ = opened()
    facts = session.facts
    assert facts["engine"] == "tensorrt 10.3.0"
    assert (facts["built_tf32"], facts["built_workspace_bytes"]) == (False, 99)


@pytest.mark.parametrize("fail", ["cudaStreamCreate", "cudaHostAlloc", "cudaMalloc"])
def test_a_gpu_without_memory_gives_all_back(opened: Callable[..., Any], fail: str) -> None:
    cudas: list[FakeCuda] = []
    original = FakeCuda.__init__

    def keep(self: FakeCuda, *arguments: Any) -> None:
        original(self, *arguments)
        cudas.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeCuda, "__init__", keep)
        with pytest.raises(DeviceUnreachableError, match=f"{fail}: cudaErrorMemoryAlloc"):
            opened(fail)
    assert not cudas[0].memory
    assert ("cudaStreamDestroy" in cudas[0].calls) == (fail != "cudaStreamCreate")


HELD = (
    "cudaStreamSynchronize", "cudaGraphExecDestroy", "cudaFree", "cudaFree", "cudaFreeHost",
    "cudaFreeHost", "cudaStreamDestroy",
)  # fmt: skip


@pytest.mark.parametrize("fail", sorted(set(HELD)))
def test_all_is_given_back_whatever_fails_and_the_first_error_is_told(
    opened: Callable[..., Any], fail: str
) -> None:
    session, cuda, _ = opened()
    cuda.calls.clear()
    cuda.fail = fail
    with pytest.raises(DeviceUnreachableError, match=f"CUDA failed in {fail}: "):
        session.close()
    assert tuple(cuda.calls) == HELD
    # CUDA reports an error of the GPU at each later call: the first is the one that tells.
    session, cuda, _ = opened()
    cuda.calls.clear()
    cuda.fails_from = fail
    with pytest.raises(DeviceUnreachableError, match=f"CUDA failed in {fail}: "):
        session.close()
    assert tuple(cuda.calls) == HELD


def test_error_that_ends_the_start_is_not_hidden_by_those_of_giving_back(
    opened: Callable[..., Any],
) -> None:
    """The engine's first run breaks the GPU, and nothing can be given back after that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeCuda, "fails_from", "cudaMemcpyAsync")
        with pytest.raises(DeviceUnreachableError, match="CUDA failed in cudaMemcpyAsync: "):
            opened()


def test_tensorrt_engine_of_another_gpu(opened: Callable[..., Any]) -> None:
    with pytest.raises(ArtefactError, match=r"never allowed: Version tag does not match") as caught:
        opened(readable=False)
    assert caught.value.message.startswith("TensorRT 10.3.0 does not load model.engine")
    assert "edgekd build --on-device" in caught.value.hint


def test_tensorrt_engine_from_memory(monkeypatch: pytest.MonkeyPatch, plan: Path) -> None:
    cuda = FakeCuda()
    trt = fake_tensorrt(cuda)
    with_sidecar(plan, trt, cuda)
    put_in_place(monkeypatch, trt, cuda)
    contents = {file.name: file.read_bytes() for file in plan.parent.iterdir()}
    assert contents.keys() == {"model.engine", "model.engine.json"}
    open_session("tensorrt", ModelFiles("model.engine", contents=contents))
    assert trt.read == [b"plan"]


def test_tensorrt_has_the_gpu_alone(monkeypatch: pytest.MonkeyPatch, plan: Path) -> None:
    cuda = FakeCuda()
    trt = fake_tensorrt(cuda)
    with_sidecar(plan, trt, cuda)
    put_in_place(monkeypatch, trt, cuda)
    for word in (None, "gpu", "GPU"):
        session = open_session("tensorrt", plan, accelerator=word, require=True)
        assert (session.facts["accelerator"], session.warnings) == ("GPU", ())
        session.close()
    (warning,) = open_session("tensorrt", plan, accelerator="cpu").warnings
    assert warning.startswith("cpu was requested, but a TensorRT engine runs on the GPU")
    held = len(cuda.memory)
    with pytest.raises(DeviceUnreachableError, match="cpu was requested"):
        open_session("tensorrt", plan, accelerator="cpu", require=True)
    assert len(cuda.memory) == held  # what it took before it was refused it gave back


# ---- what is refused before TensorRT sees it ----


def refused(trt: Any, plan: Path, match: str) -> EdgekdError:
    with pytest.raises(ArtefactError, match=match) as caught:
        open_session("tensorrt", plan)
    assert trt.read == []
    assert f"edgekd build --on-device {plan.parent}" in caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("tensorrt", "10.7.0", "TensorRT 10.7.0"),
        ("l4t", "36.3", "L4T 36.3"),
        ("cuda", "13.0", "CUDA 13.0"),
        ("gpu", "Thor", "Thor"),
        ("capability", "11.0", "compute capability 11.0"),
    ],
)
def test_a_stranger(
    monkeypatch: pytest.MonkeyPatch, plan: Path, field: str, value: str, told: str
) -> None:
    cuda = FakeCuda()
    trt = fake_tensorrt(cuda)
    own = with_sidecar(plan, trt, cuda)
    environment = msgspec.structs.replace(own.environment, **{field: value})
    write_sidecar(plan, msgspec.structs.replace(own, environment=environment))
    put_in_place(monkeypatch, trt, cuda)
    error = refused(
        trt, plan, rf"model\.engine was built for .*{told}.*; this is TensorRT 10\.3\.0"
    )
    assert error.exit_code == 6


def test_no_sidecar(monkeypatch: pytest.MonkeyPatch, plan: Path) -> None:
    cuda = FakeCuda()
    trt = fake_tensorrt(cuda)
    put_in_place(monkeypatch, trt, cuda)
    refused(trt, plan, r"model\.engine\.json is missing")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"environment": 1}', b"\xff\xfe"])
def test_a_damaged_sidecar(monkeypatch: pytest.MonkeyPatch, plan: Path, content: bytes) -> None:
    cuda = FakeCuda()
    trt = fake_tensorrt(cuda)
    plan.with_name("model.engine.json").write_bytes(content)
    put_in_place(monkeypatch, trt, cuda)
    refused(trt, plan, r"model\.engine\.json is damaged")


@pytest.mark.parametrize("content", [b"pla", b"", b"plan2"])
def test_another_engine_or_a_part_of_it(
    monkeypatch: pytest.MonkeyPatch, plan: Path, content: bytes
) -> None:
    cuda = FakeCuda()
    trt = fake_tensorrt(cuda)
    with_sidecar(plan, trt, cuda)
    plan.write_bytes(content)
    put_in_place(monkeypatch, trt, cuda)
    refused(trt, plan, r"is damaged, or not the engine that model\.engine\.json says")


@pytest.mark.parametrize("version", ["8.5.2", "9.3.0"])
def test_tensorrt_of_jetpack_5(monkeypatch: pytest.MonkeyPatch, plan: Path, version: str) -> None:
    cuda = FakeCuda()
    trt = fake_tensorrt(cuda)
    trt.__version__ = version
    put_in_place(monkeypatch, trt, cuda)
    with pytest.raises(InputError, match="knows no strongly typed networks") as caught:
        open_session("tensorrt", plan)
    assert "JetPack 6.1" in caught.value.hint
    assert trt.read == []


@pytest.mark.skipif(
    find_spec("tensorrt_rtx_bindings") is None,
    reason="needs the extra: pip install 'edgekd[tensorrt-check]'",
)
def test_tensorrt_itself_does_not_read_rubbish(monkeypatch: pytest.MonkeyPatch, plan: Path) -> None:
    """NVIDIA's own deserialiser, and what it says for a reason."""
    from edgekd.lower.backends.tensorrt.library import load_tensorrt_rtx

    plan.write_bytes(b"this is not an engine" * 9)
    cuda, rtx = FakeCuda(), load_tensorrt_rtx()
    with_sidecar(plan, rtx, cuda)
    put_in_place(monkeypatch, rtx, cuda)
    with pytest.raises(ArtefactError, match="Serialization assertion") as caught:
        open_session("tensorrt", plan)
    assert "host code, which is never allowed" in caught.value.message
    assert not cuda.memory


def test_cuda_itself_without_a_driver(monkeypatch: pytest.MonkeyPatch, plan: Path) -> None:
    """cuda-python's own error, and its own advice."""
    cudart = pytest.importorskip("cuda.bindings.runtime")
    if int(cudart.cudaGetDeviceCount()[0]) == 0:
        pytest.skip("this machine has a GPU; the test wants one without")
    trt = fake_tensorrt(FakeCuda())
    put_in_place(monkeypatch, trt, cudart)
    with pytest.raises(DeviceUnreachableError, match="cudaErrorInsufficientDriver") as caught:
        open_session("tensorrt", plan)
    assert caught.value.exit_code == 5
    assert "this system has no NVIDIA driver" in caught.value.hint
    assert trt.read == []
