"""What an engine is tied to: read from files, and from CUDA where there is one."""

from __future__ import annotations

import enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgekd.errors import DeviceUnreachableError
from edgekd.runtime.sessions.tensorrt.environment import (
    EngineEnvironment,
    cuda_call,
    engine_environment,
    l4t_release,
    load_cudart,
    refuse_old_tensorrt,
)

ORIN = "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64, DATE: Wed\n"
PACKAGES = """Package: nvidia-l4t-configs
Status: install ok installed
Version: 99.9

Package: nvidia-l4t-core
Status: install ok installed
Priority: standard
Version: 36.4.0-20240912212859
Description: NVIDIA Core Package

Package: zlib1g
Version: 1.2
"""

Status = enum.IntEnum("Status", {"cudaSuccess": 0, "cudaErrorInsufficientDriver": 35})


def cuda(driver: int = 12060, status: int = 0, name: Any = b"Orin\0rest") -> Any:
    """cuda-python's runtime with one GPU, or with an error."""
    properties = SimpleNamespace(name=name, major=8, minor=7)
    return SimpleNamespace(
        cudaGetDevice=lambda: (Status(status), 0),
        cudaGetDeviceProperties=lambda device: (Status(0), properties),
        cudaDriverGetVersion=lambda: (Status(0), driver),
    )


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.mark.parametrize(
    ("text", "release"),
    [
        (ORIN, "36.4.3"),
        ("# R38 (release), REVISION: 2.0, GCID: 1, BOARD: generic\n", "38.2.0"),
        ("# R32 (release), REVISION: 7.1, GCID: 1, BOARD: t210ref\n", "32.7.1"),
        ("something else\n", ""),
        ("", ""),
    ],
)
def test_l4t_release(tmp_path: Path, text: str, release: str) -> None:
    write(tmp_path / "etc/nv_tegra_release", text)
    assert l4t_release(tmp_path) == release


def test_l4t_release_of_a_container(tmp_path: Path) -> None:
    assert l4t_release(tmp_path) == ""
    write(tmp_path / "var/lib/dpkg/status", PACKAGES)
    assert l4t_release(tmp_path) == "36.4.0"
    write(tmp_path / "etc/nv_tegra_release", ORIN)
    assert l4t_release(tmp_path) == "36.4.3"  # the board's own word first


def test_environment(tmp_path: Path) -> None:
    write(tmp_path / "etc/nv_tegra_release", ORIN)
    found = engine_environment(SimpleNamespace(__version__="10.3.0"), cuda(), tmp_path)
    assert found == EngineEnvironment("10.3.0", "36.4.3", "12.6", "Orin", "8.7")
    assert str(found) == ("TensorRT 10.3.0, L4T 36.4.3, CUDA 12.6, Orin (compute capability 8.7)")


def test_environment_of_a_workstation(tmp_path: Path) -> None:
    found = engine_environment(
        SimpleNamespace(__version__="11.4.1"), cuda(13020, name="L4"), tmp_path
    )
    assert (found.l4t, found.cuda, found.gpu) == ("", "13.2", "L4")
    assert "L4T" not in str(found)


@pytest.mark.parametrize(
    ("driver", "advice"),
    [(0, "--runtime nvidia"), (12060, "pip install 'cuda-python==12.*'")],
)
def test_a_driver_that_is_too_old(driver: int, advice: str, tmp_path: Path) -> None:
    with pytest.raises(DeviceUnreachableError, match="cudaErrorInsufficientDriver") as caught:
        engine_environment(SimpleNamespace(__version__="10.3.0"), cuda(driver, 35), tmp_path)
    assert advice in caught.value.hint


@pytest.mark.parametrize("version", ["10.0.1", "10.3.0", "11.4.1", "1.7.1.116"])
def test_tensorrt_that_is_new_enough(version: str) -> None:
    refuse_old_tensorrt(SimpleNamespace(__version__=version))


def test_cuda_without_a_driver(tmp_path: Path) -> None:
    pytest.importorskip("cuda.bindings.runtime")
    cudart = load_cudart()
    if int(cudart.cudaGetDeviceCount()[0]) == 0:
        pytest.skip("this machine has a GPU; the test wants one without")
    with pytest.raises(DeviceUnreachableError, match="cudaGetDevice: cudaErrorInsufficientDriver"):
        engine_environment(SimpleNamespace(__version__="10.3.0"), cudart, tmp_path)
    with pytest.raises(DeviceUnreachableError, match="cudaHostAlloc"):
        cuda_call(cudart, "cudaHostAlloc", 16, cudart.cudaHostAllocDefault)


def test_the_cuda_functions_that_the_session_calls_exist() -> None:
    """Names and constants, which the stand-ins of other tests take for granted."""
    cudart = pytest.importorskip("cuda.bindings.runtime")
    for name in (
        "cudaDriverGetVersion", "cudaFree", "cudaFreeHost", "cudaGetDevice",
        "cudaGetDeviceProperties", "cudaGetLastError", "cudaGraphDestroy", "cudaGraphExecDestroy",
        "cudaGraphInstantiate", "cudaGraphLaunch", "cudaHostAlloc", "cudaMalloc",
        "cudaMemcpyAsync", "cudaStreamBeginCapture", "cudaStreamCreate", "cudaStreamDestroy",
        "cudaStreamEndCapture", "cudaStreamSynchronize",
    ):  # fmt: skip
        assert callable(getattr(cudart, name)), name
    assert cudart.cudaHostAllocDefault == 0
    assert int(cudart.cudaMemcpyKind.cudaMemcpyHostToDevice) == 1
    assert int(cudart.cudaMemcpyKind.cudaMemcpyDeviceToHost) == 2
    assert int(cudart.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal) == 1
