"""Loading TensorRT, TensorRT-RTX (which needs no GPU), and torch-tensorrt."""

from __future__ import annotations

import ctypes
import functools
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from edgekd.errors import DeviceUnreachableError, MissingDependencyError, reason_of

__all__ = ["load_tensorrt", "load_tensorrt_rtx", "load_torch_tensorrt"]

_RTX_LIBRARIES = "onnxruntime_ep_nv_tensorrt_rtx"
_RTX_BINDINGS = "tensorrt_rtx_bindings"
_TORCH_TENSORRT = "torch_tensorrt"


def load_tensorrt() -> ModuleType:
    """The installed TensorRT.

    Raises:
        MissingDependencyError: TensorRT is not installed.
    """
    try:
        return import_module("tensorrt")
    except ImportError as error:
        missing = MissingDependencyError("TensorRT", "tensorrt", "build an engine")
        missing.hint = (
            "TensorRT comes with JetPack (apt install tensorrt python3-libnvinfer), "
            "elsewhere with pip install tensorrt"
        )
        raise missing from error


@functools.lru_cache(maxsize=1)
def load_tensorrt_rtx() -> ModuleType:
    """TensorRT-RTX from its two wheels: it parses, types and fuses without a GPU.

    Its engines do not run on a Jetson; building one checks the ONNX file.

    Raises:
        MissingDependencyError: The wheels are not installed.
    """
    libraries = find_spec(_RTX_LIBRARIES)
    if libraries is None or find_spec(_RTX_BINDINGS) is None:
        package = "onnxruntime-ep-nv-tensorrt-rtx-cu13 with tensorrt-rtx-cu13-bindings"
        raise MissingDependencyError(package, "tensorrt-check", "check ONNX against TensorRT")
    folder = Path((libraries.submodule_search_locations or [""])[0])
    # The bindings look for the libraries among those already loaded; the parser needs the core.
    for pattern in ("libtensorrt_rtx.so.*", "libtensorrt_onnxparser_rtx.so.*"):
        ctypes.CDLL(str(next(folder.glob(pattern))), mode=ctypes.RTLD_GLOBAL)
    return import_module(_RTX_BINDINGS)


def load_torch_tensorrt() -> ModuleType:
    """The installed torch-tensorrt; then `tensorrt` is the TensorRT that it builds with.

    Raises:
        MissingDependencyError: It is not installed.
        DeviceUnreachableError: It cannot be loaded without a GPU and its driver.
    """
    if find_spec(_TORCH_TENSORRT) is None:
        raise MissingDependencyError("torch-tensorrt", "torch-tensorrt", "build an engine with it")
    try:
        return import_module(_TORCH_TENSORRT)
    except Exception as error:  # its own, of its libraries, or of the driver's
        message = f"torch-tensorrt cannot be loaded: {reason_of(error)}"
        hint = "it needs a GPU with its driver (nvidia-smi), and the PyTorch of its own version"
        raise DeviceUnreachableError(message, hint) from error
