"""The environment that a TensorRT engine is bound to: TensorRT, L4T, CUDA and the GPU.

Source: NVIDIA TensorRT documentation, "Engine compatibility": by default an engine loads on the
TensorRT, the operating system and the kind of GPU that built it, and nowhere else.
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from edgekd.errors import DeviceUnreachableError, EdgekdError, InputError, MissingDependencyError

__all__ = [
    "EngineEnvironment",
    "cuda_call",
    "engine_environment",
    "l4t_release",
    "load_cudart",
    "refuse_old_tensorrt",
]

_CUDART = ("cuda.bindings.runtime", "cuda.cudart")  # the second until cuda-python 12
_OLDEST = 10
_RELEASE = re.compile(r"R(\d+)\s.*?REVISION:\s*([\d.]+)")
_PACKAGE = re.compile(r"^Package: nvidia-l4t-core\n(?:.+\n)*?Version: ([\d.]+)", re.MULTILINE)


class EngineEnvironment(msgspec.Struct, frozen=True):
    """Properties that must be equal where an engine is built and where it runs.

    Attributes:
        tensorrt: Version of TensorRT.
        l4t: Release of Linux for Tegra, such as `36.4.3`; empty where there is none, or where a
            container does not show it.
        cuda: CUDA version of the driver, major.minor. The runtime that cuda-python installs may
            change with pip without affecting an engine.
        gpu: Name of the GPU.
        capability: Compute capability of the GPU, such as `8.7`.
    """

    tensorrt: str
    l4t: str
    cuda: str
    gpu: str
    capability: str

    def __str__(self) -> str:
        """One line for people."""
        system = f", L4T {self.l4t}" if self.l4t else ""
        gpu = f"{self.gpu or 'unknown GPU'} (compute capability {self.capability or 'unknown'})"
        return f"TensorRT {self.tensorrt}{system}, CUDA {self.cuda or 'unknown'}, {gpu}"


def engine_environment(trt: Any, cudart: Any, root: Path = Path("/")) -> EngineEnvironment:
    """The environment of this machine and its current GPU.

    Args:
        trt: TensorRT's module.
        cudart: cuda-python's runtime; see `load_cudart`.
        root: Root of the machine's file system.

    Raises:
        DeviceUnreachableError: No GPU answers; the message names CUDA's error.
    """
    device = cuda_call(cudart, "cudaGetDevice")
    properties = cuda_call(cudart, "cudaGetDeviceProperties", device)
    name = properties.name
    return EngineEnvironment(
        tensorrt=str(trt.__version__),
        l4t=l4t_release(root),
        cuda=_driver_version(cudart),
        gpu=name.partition(b"\0")[0].decode(errors="replace") if isinstance(name, bytes) else name,
        capability=f"{properties.major}.{properties.minor}",
    )


def l4t_release(root: Path = Path("/")) -> str:
    """Release of Linux for Tegra, such as `36.4.3`; empty where there is none.

    It is read from `/etc/nv_tegra_release` (`# R36 (release), REVISION: 4.3, …`), or, in a
    container without that file, from the package nvidia-l4t-core.
    """
    release = _RELEASE.search(_text(root / "etc/nv_tegra_release"))
    if release is not None:
        return f"{release[1]}.{release[2]}"
    package = _PACKAGE.search(_text(root / "var/lib/dpkg/status"))
    return "" if package is None else package[1]


def load_cudart() -> Any:
    """cuda-python's bindings of the CUDA runtime.

    Raises:
        MissingDependencyError: They are not installed.
    """
    for name in _CUDART:
        try:
            return import_module(name)
        except ImportError:
            continue
    raise MissingDependencyError("cuda-python", "tensorrt", "move images to the GPU")


def cuda_call(cudart: Any, function: str, *arguments: Any) -> Any:
    """Result of a call to the CUDA runtime, which returns (status, result…).

    Raises:
        DeviceUnreachableError: The status is an error; the message names it.
    """
    status, *results = getattr(cudart, function)(*arguments)
    if int(status) != 0:
        raise _unreachable(cudart, function, status)
    return results[0] if results else None


def refuse_old_tensorrt(trt: Any) -> None:
    """Raise InputError for a TensorRT before 10, such as JetPack 5's.

    TensorRT-RTX, whose versions start at 1, is newer.
    """
    version = str(trt.__version__)
    if 1 < int(version.partition(".")[0]) < _OLDEST:
        message = f"TensorRT {version} knows no strongly typed networks, which edgekd builds"
        raise InputError(message, "use TensorRT 10 or newer (JetPack 6.1 or newer)")


def _unreachable(cudart: Any, function: str, status: Any) -> EdgekdError:
    name = getattr(status, "name", str(status))
    message = f"CUDA failed in {function}: {name}"
    return DeviceUnreachableError(message, _advice(cudart, name))


def _advice(cudart: Any, name: str) -> str:
    if name != "cudaErrorInsufficientDriver":
        return "check the GPU with nvidia-smi or tegrastats"
    driver = _driver_version(cudart)
    if not driver:
        return "this system has no NVIDIA driver; start a container with --runtime nvidia"
    return (
        f"the driver is of CUDA {driver} and cuda-python of a newer one: "
        f"pip install 'cuda-python=={driver.partition('.')[0]}.*'"
    )


def _driver_version(cudart: Any) -> str:
    """CUDA version of the driver, major.minor; empty where there is none."""
    status, version = cudart.cudaDriverGetVersion()
    if int(status) != 0 or not version:
        return ""
    return f"{version // 1000}.{version % 1000 // 10}"


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""
