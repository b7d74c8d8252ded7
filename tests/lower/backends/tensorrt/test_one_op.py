"""The smallest engine: built by TensorRT-RTX, run where a session can, and every way it fails."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edgekd.errors import GateFailedError
from edgekd.files import sha256_of
from edgekd.lower.backends.tensorrt.job import ENGINE, EngineJob
from edgekd.lower.backends.tensorrt.one_op import build_one_op, run_one_op
from edgekd.lower.jobs.process import JobError
from edgekd.runtime.sessions.tensorrt.sidecar import EngineSidecar, sidecar_name

needs_rtx = pytest.mark.skipif(
    find_spec("tensorrt_rtx_bindings") is None,
    reason="TensorRT-RTX's wheels are not installed: pip install 'edgekd[tensorrt-check]'",
)
needs_cuda_python = pytest.mark.skipif(
    find_spec("cuda") is None, reason="cuda-python is not installed: pip install cuda-python"
)


def rtx(out: Path, *capabilities: str) -> EngineJob:
    return EngineJob(out=str(out), library="tensorrt-rtx", capabilities=capabilities)


@pytest.fixture
def install_tensorrt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put a package `tensorrt` of so much source into the path of the processes to come."""

    def install(source: str) -> None:
        package = tmp_path / "site" / "tensorrt"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(source)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))

    return install


@needs_rtx
@pytest.mark.parametrize("capability", ["SM86", "SM89"])
def test_the_engine_and_its_sidecar(capability: str, tmp_path: Path) -> None:
    result = build_one_op(rtx(tmp_path / "out", capability), log=tmp_path / "log")
    engine = tmp_path / "out" / ENGINE
    assert result.size_bytes == engine.stat().st_size > 1000
    assert result.environment.tensorrt.startswith("RTX ")
    sidecar = msgspec.json.decode(
        engine.with_name(sidecar_name(ENGINE)).read_bytes(), type=EngineSidecar
    )
    assert sidecar.engine_sha256 == sha256_of(engine)
    assert sidecar.environment == result.environment


@needs_rtx
def test_an_engine_that_cannot_be_built(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="cannot build for SM10") as caught:
        build_one_op(rtx(tmp_path / "out", "SM10"), log=tmp_path / "log")
    assert caught.value.exit_code == 2
    assert not (tmp_path / "out" / ENGINE).exists()


@pytest.mark.skipif(find_spec("tensorrt") is not None, reason="TensorRT is installed here")
def test_no_tensorrt(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="TensorRT is not installed") as caught:
        build_one_op(EngineJob(out=str(tmp_path / "out")), log=tmp_path / "log")
    assert caught.value.exit_code == 3


def test_a_tensorrt_that_is_too_old(tmp_path: Path, install_tensorrt) -> None:
    install_tensorrt("__version__ = '8.5.2'")
    with pytest.raises(JobError, match=r"TensorRT 8\.5\.2 knows no strongly typed") as caught:
        build_one_op(EngineJob(out=str(tmp_path / "out")), log=tmp_path / "log")
    assert caught.value.exit_code == 2
    assert "JetPack 6.1 or newer" in caught.value.hint


def test_a_tensorrt_that_crashes_is_told_and_harms_nothing(
    tmp_path: Path, install_tensorrt
) -> None:
    install_tensorrt("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(JobError, match="ended by SIGSEGV"):
        build_one_op(EngineJob(out=str(tmp_path / "out")), log=tmp_path / "log")


@needs_cuda_python
@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="there is a GPU: unplug it")
def test_a_machine_without_a_gpu(tmp_path: Path, install_tensorrt) -> None:
    """The CUDA runtime is the real one."""
    install_tensorrt("__version__ = '10.3.0'")
    with pytest.raises(JobError, match=r"cudaErrorInsufficientDriver|cudaErrorNoDevice") as caught:
        build_one_op(EngineJob(out=str(tmp_path / "out")), log=tmp_path / "log")
    assert caught.value.exit_code == 5


def write_means(out: Path, *, scale: float) -> None:
    """What the engine should compute, times something, as a file that ONNX Runtime runs."""
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Mul", ["mean", "scale"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "one op",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 8, 8, 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 3])],
        [numpy_helper.from_array(np.array(scale, np.float32), "scale")],
    )
    out.mkdir()
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    (out / ENGINE).write_bytes(model.SerializeToString())


def test_an_engine_that_runs(tmp_path: Path) -> None:
    write_means(tmp_path / "out", scale=1.0)
    assert run_one_op(tmp_path / "out", session="onnx", log=tmp_path / "log") > 0


def test_an_engine_that_answers_wrongly(tmp_path: Path) -> None:
    write_means(tmp_path / "out", scale=1.001)
    with pytest.raises(GateFailedError, match=r"answers wrongly: off by 0\.\d+ of 255"):
        run_one_op(tmp_path / "out", session="onnx", log=tmp_path / "log")


def test_an_engine_that_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ENGINE).write_bytes(b"no engine")
    with pytest.raises(JobError) as caught:
        run_one_op(tmp_path / "out", session="onnx", log=tmp_path / "log")
    assert caught.value.exit_code == 6
