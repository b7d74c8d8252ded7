"""TensorRT's session, on stand-ins for TensorRT and CUDA: this project's hosts have neither.

Where CUDA has no driver, cuda-python itself says so; see the last tests.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from fake_tensorrt import FakeCuda, fake_tensorrt, put_in_place, with_sidecar

from edgekd.bundle.model_files import ModelFiles
from edgekd.errors import ArtefactError, DeviceUnreachableError, InputError
from edgekd.runtime.sessions import open_session


def test_what_an_engine_says_of_itself(opened: Callable[..., Any]) -> None:
    session, _, _ = opened()
    facts = session.facts
    assert facts["engine"] == "tensorrt 10.3.0"
    assert (facts["built_tf32"], facts["built_workspace_bytes"]) == (False, 99)


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
