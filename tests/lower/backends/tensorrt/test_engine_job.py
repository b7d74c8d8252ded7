"""The process that builds an engine: its environment, its files, and its exit codes."""

from __future__ import annotations

import errno
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from colour_networks import mean_colour

from edgekd.errors import InputError
from edgekd.files import sha256_of
from edgekd.lower.backends.tensorrt import job as module
from edgekd.lower.backends.tensorrt.job import (
    ENGINE,
    EngineJob,
    EngineResult,
    environment_of,
    run_engine_job,
    run_job,
)
from edgekd.lower.jobs.process import JobError
from edgekd.runtime.sessions.tensorrt.environment import EngineEnvironment
from edgekd.runtime.sessions.tensorrt.sidecar import EngineSidecar, sidecar_name

needs_rtx = pytest.mark.skipif(
    find_spec("tensorrt_rtx_bindings") is None,
    reason="TensorRT-RTX's wheels are not installed: pip install 'edgekd[tensorrt-check]'",
)


def rtx(out: Path, **more: Any) -> EngineJob:
    return EngineJob(out=str(out), library="tensorrt-rtx", capabilities=("SM86", "SM89"), **more)


@pytest.fixture
def bindings(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module in the place of TensorRT-RTX's, which says its version alone."""
    trt = ModuleType("tensorrt_rtx_bindings")
    trt.__version__ = "1.7.1"  # type: ignore[attr-defined]
    monkeypatch.setattr(module, "load_tensorrt_rtx", lambda: trt)
    monkeypatch.setattr(module, "refuse_old_tensorrt", lambda trt: None)
    return trt


def test_rtx_engines_are_bound_to_version_and_capabilities(
    bindings: ModuleType, tmp_path: Path
) -> None:
    environment = environment_of(bindings, rtx(tmp_path))
    assert (environment.tensorrt, environment.capability) == ("RTX 1.7.1", "SM86, SM89")
    assert (environment.cuda, environment.gpu) == ("", "")


@pytest.mark.usefixtures("bindings")
def test_a_job_without_a_file_gives_the_environment_alone(tmp_path: Path) -> None:
    run_job(rtx(tmp_path))
    (file,) = tmp_path.iterdir()
    result = msgspec.json.decode(file.read_bytes(), type=EngineResult)
    assert result.environment.tensorrt == "RTX 1.7.1"
    assert (result.seconds, result.size_bytes, result.versions) == (0.0, 0, {})


@pytest.mark.usefixtures("bindings")
def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*ignored: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "write_atomically", full)
    with pytest.raises(InputError, match="cannot be written: No space left on device") as caught:
        run_job(rtx(tmp_path))
    assert caught.value.hint == "make room on that disk"


def test_each_environment_has_its_own_timings() -> None:
    here = EngineEnvironment("10.3.0", "36.4.3", "12.6", "Orin", "8.7")
    newer = msgspec.structs.replace(here, tensorrt="10.7.0")
    first, second = (module._timing_cache("/cache/jetson", one) for one in (here, newer))
    assert first is not None
    assert first.name.startswith("jetson.")
    assert first.suffix == ".timing"
    assert first != second
    assert first == module._timing_cache("/cache/jetson", here)
    assert module._timing_cache(None, here) is None


@needs_rtx
def test_the_engine_its_sidecar_and_its_result(tmp_path: Path) -> None:
    onnx = tmp_path / "model.onnx"
    onnx.write_bytes(mean_colour())
    steps: list[str] = []
    result = run_engine_job(
        rtx(tmp_path / "out", onnx=str(onnx)), log=tmp_path / "log", report=steps.append
    )
    engine = tmp_path / "out" / ENGINE
    assert result.size_bytes == engine.stat().st_size > 0
    assert result.seconds > 0
    assert steps[0].startswith("building for TensorRT RTX ")
    sidecar = msgspec.json.decode(
        engine.with_name(sidecar_name(ENGINE)).read_bytes(), type=EngineSidecar
    )
    assert sidecar.environment == result.environment
    assert (sidecar.engine_sha256, sidecar.onnx_sha256) == (sha256_of(engine), sha256_of(onnx))
    assert sidecar.flags["workspace_bytes"] > 0


@pytest.mark.skipif(find_spec("tensorrt") is not None, reason="TensorRT is installed here")
def test_without_tensorrt_the_exit_code_is_that_of_a_missing_package(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="TensorRT is not installed") as caught:
        run_engine_job(EngineJob(out=str(tmp_path / "out")), log=tmp_path / "log")
    assert (caught.value.exit_code, caught.value.killed) == (3, False)


@needs_rtx
def test_a_file_that_is_no_onnx_gives_the_exit_code_of_a_damaged_artefact(tmp_path: Path) -> None:
    onnx = tmp_path / "model.onnx"
    onnx.write_bytes(b"no model")
    with pytest.raises(JobError) as caught:
        run_engine_job(rtx(tmp_path / "out", onnx=str(onnx)), log=tmp_path / "log")
    assert caught.value.exit_code == 6
    assert not (tmp_path / "out" / ENGINE).exists()
