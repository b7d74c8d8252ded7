"""Sessions keep one contract on every engine, and say what is wrong with a file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgekd.errors import (
    ArtefactError,
    DeviceUnreachableError,
    InputError,
    MissingDependencyError,
)
from edgekd.runtime import _telemetry, sessions
from edgekd.runtime.sessions import available_backends, open_session
from edgekd.runtime.sessions import tensorrt as trt_session
from edgekd.runtime.sessions.base import Session

torch = pytest.importorskip("torch")
pytest.importorskip("litert_torch")
pytest.importorskip("openvino")

SIZE, CLASSES = 16, 3
FILES = {"onnx": "model.onnx", "openvino": "model.xml", "tflite": "model.tflite"}


def make_graph() -> Any:
    from edgekd.lower.graph import deploy_graph

    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU6(), torch.nn.AdaptiveAvgPool2d(1)]
    network = torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(4, CLASSES))
    return deploy_graph(network, (0.5,) * 3, (0.25,) * 3)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    from edgekd.lower.backends import get_backend
    from edgekd.lower.precision import Variant

    folder, graph = tmp_path_factory.mktemp("lowered"), make_graph()
    for name in ("openvino", "tensorrt", "tflite"):
        get_backend(name).lower(graph, SIZE, Variant(precision="fp32"), None, folder)
    return {backend: folder / file for backend, file in FILES.items()}


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 1, SIZE, SIZE, 3)).astype(np.uint8)


@pytest.mark.parametrize("backend", FILES)
def test_session_answers_as_the_network(backend: str, files: dict[str, Path]) -> None:
    session = open_session(backend, files[backend], threads=1)
    assert isinstance(session, Session)
    assert session.backend == backend
    assert (session.input_shape, session.classes) == ((1, SIZE, SIZE, 3), CLASSES)
    answers = [session.run(image) for image in images(4)]  # kept: each is the caller's own
    expected = make_graph()(torch.from_numpy(np.concatenate(images(4)))).numpy()
    np.testing.assert_allclose(np.concatenate(answers), expected, atol=1e-5)
    assert all(answer.dtype == np.float32 for answer in answers)
    session.close()


@pytest.mark.parametrize("backend", FILES)
def test_strided_images_are_read_right(backend: str, files: dict[str, Path]) -> None:
    session = open_session(backend, files[backend])
    mirrored = images(1)[0][:, :, ::-1]
    np.testing.assert_array_equal(session.run(mirrored), session.run(mirrored.copy()))


@pytest.mark.parametrize("backend", FILES)
def test_facts_say_what_was_obtained(backend: str, files: dict[str, Path]) -> None:
    facts = open_session(backend, files[backend], threads=1).facts
    assert facts["threads"] == 1
    assert str(facts["engine"]).split()[0] in ("ai-edge-litert", "onnxruntime", "openvino")
    expected: dict[str, dict[str, Any]] = {
        "onnx": {"providers": "CPUExecutionProvider"},
        "openvino": {"precision_hint": "f32", "performance_hint": "LATENCY", "streams": 1},
        "tflite": {"xnnpack_partitions": 1},
    }
    assert expected[backend].items() <= facts.items()


@pytest.mark.parametrize("backend", FILES)
@pytest.mark.parametrize("bad", [np.zeros((SIZE, SIZE, 3), np.uint8), np.zeros((1, SIZE, SIZE, 3))])
def test_wrong_image_is_refused(backend: str, bad: np.ndarray, files: dict[str, Path]) -> None:
    session: Any = open_session(backend, files[backend])
    with pytest.raises(InputError, match=r"takes uint8 \[1, 16, 16, 3\]"):
        session.run(bad)


@pytest.mark.parametrize("backend", FILES)
def test_closed_session_cannot_run(backend: str, files: dict[str, Path]) -> None:
    session = open_session(backend, files[backend])
    session.close()
    session.close()
    with pytest.raises(RuntimeError, match="is closed"):
        session.run(images(1)[0])


@pytest.mark.parametrize("backend", FILES)
def test_truncated_file(backend: str, files: dict[str, Path], tmp_path: Path) -> None:
    for file in {files[backend], files[backend].with_suffix(".bin")}:
        content = file.read_bytes()
        (tmp_path / file.name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ArtefactError, match="cannot read model"):
        open_session(backend, tmp_path / FILES[backend])


@pytest.mark.parametrize("backend", FILES)
def test_absent_file(backend: str, tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="is missing"):
        open_session(backend, tmp_path / FILES[backend])


def test_openvino_without_its_weights(files: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "model.xml").write_bytes(files["openvino"].read_bytes())
    with pytest.raises(ArtefactError, match=r"model\.bin is missing"):
        open_session("openvino", tmp_path / "model.xml")


def foreign_onnx(folder: Path, kind: int, shape: list[Any]) -> Path:
    """A valid ONNX file that is no deploy graph."""
    import onnx
    from onnx import helper

    graph = helper.make_graph(
        [helper.make_node("Identity", ["image"], ["logits"])],
        "foreign",
        [helper.make_tensor_value_info("image", kind, shape)],
        [helper.make_tensor_value_info("logits", kind, shape)],
    )
    file = folder / "foreign.onnx"
    opsets = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), file)
    return file


@pytest.mark.parametrize(
    ("kind", "shape", "said"),
    [
        (1, [1, 4, 4, 3], "maps float32"),
        (2, [1, 4, 4, 3], "maps uint8"),
        (1, ["batch", 7], r"\[-1, 7\]"),
    ],
)
def test_file_that_breaks_the_contract(
    kind: int, shape: list[Any], said: str, tmp_path: Path
) -> None:
    import openvino

    file = foreign_onnx(tmp_path, kind, shape)
    with pytest.raises(ArtefactError, match=said):
        open_session("onnx", file)
    openvino.save_model(openvino.Core().read_model(file), tmp_path / "foreign.xml")
    with pytest.raises(ArtefactError, match=said):
        open_session("openvino", tmp_path / "foreign.xml")


def test_unknown_backend_and_threads(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'coreml'") as caught:
        open_session("coreml", tmp_path)
    assert "onnx, openvino, tensorrt, tflite" in caught.value.hint
    with pytest.raises(InputError, match="threads is 0"):
        open_session("onnx", tmp_path, threads=0)


def test_third_party_backend(monkeypatch: pytest.MonkeyPatch, files: dict[str, Path]) -> None:
    entry = EntryPoint("mine", "edgekd.runtime.sessions.onnx:open_file", "edgekd.sessions")
    monkeypatch.setattr(sessions, "entry_points", lambda group: EntryPoints([entry]))
    assert "mine" in available_backends()
    assert open_session("mine", files["onnx"]).backend == "onnx"


def test_available_backends() -> None:
    assert set(FILES) <= set(available_backends())


@pytest.mark.parametrize(
    ("backend", "engines", "package"),
    [
        ("tflite", ["ai_edge_litert.interpreter", "tflite_runtime.interpreter"], "ai-edge-litert"),
        ("openvino", ["openvino"], "openvino"),
        ("onnx", ["onnxruntime"], "onnxruntime"),
        ("tensorrt", ["tensorrt"], "TensorRT"),
    ],
)
def test_missing_engine(
    backend: str, engines: list[str], package: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for engine in engines:
        monkeypatch.setitem(sys.modules, engine, None)
    with pytest.raises(MissingDependencyError, match=f"{package} is not installed") as caught:
        open_session(backend, tmp_path / "model")
    assert caught.value.extra == backend
    assert caught.value.hint


def test_device_side_is_light_and_silent() -> None:
    code = (
        "import sys, edgekd.runtime.sessions as s; "
        "from edgekd.runtime.sessions import onnx, openvino, tensorrt, tflite; "
        "heavy = {'torch', 'onnxruntime', 'openvino', 'tensorrt', 'ai_edge_litert'}; "
        "sys.exit(len(heavy & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_openvino_session_sends_nothing(files: dict[str, Path]) -> None:
    code = (
        "import os, socket, sys\n"
        "def refuse(*arguments, **options):\n"
        "    os._exit(9)\n"
        "socket.getaddrinfo = socket.socket.connect = refuse\n"
        "from pathlib import Path\n"
        "from edgekd.runtime.sessions import open_session\n"
        f"open_session('openvino', Path({str(files['openvino'])!r}))\n"
        "sys.exit(sys.modules['openvino_telemetry'] is not None)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_telemetry_that_was_imported_before_is_idled(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []

    class TelemetrySender:
        def send(self, backend: object, message: str) -> None:
            sent.append(message)

    monkeypatch.setitem(sys.modules, "openvino_telemetry", SimpleNamespace())
    sender = SimpleNamespace(TelemetrySender=TelemetrySender)
    monkeypatch.setitem(sys.modules, "openvino_telemetry.utils.sender", sender)
    _telemetry.silence()
    TelemetrySender().send(None, "import")
    assert not sent


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
