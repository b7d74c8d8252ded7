"""Builds a TensorRT engine from ONNX, on the device that will run it. No torch.

Engines are tied to TensorRT's version, the operating system and the GPU, and their kernels are
chosen by timing on that very GPU; so the host hands over ONNX and the device finishes it.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from edgekd.errors import ArtefactError, EdgekdError, InputError
from edgekd.files import write_whole
from edgekd.lower.engine.library import load_tensorrt

__all__ = ["EngineBuildError", "EngineReport", "build_engine"]


class EngineBuildError(EdgekdError):
    """TensorRT parsed the network but could not build an engine from it."""


@dataclass(frozen=True)
class EngineReport:
    """What was built.

    Attributes:
        path: The engine.
        versions: TensorRT and its ONNX parser.
        seconds: Time of parsing and building.
        bytes: Size of the engine.
    """

    path: Path
    versions: dict[str, str]
    seconds: float
    bytes: int


def build_engine(
    onnx: Path,
    out: Path,
    *,
    trt: ModuleType | None = None,
    workspace_bytes: int | None = None,
    compute_capabilities: Sequence[str] = (),
    timing_cache: Path | None = None,
) -> EngineReport:
    """Build a serialized engine. It is written whole or not at all.

    The network is strongly typed: precisions are those that the ONNX says, which is the only way
    in TensorRT 11 and works since 10.

    Args:
        onnx: The file; int8 as Q/DQ pairs.
        out: The engine's file.
        trt: TensorRT's Python module, or one with the same interface (TensorRT-RTX);
            None imports `tensorrt`.
        workspace_bytes: Upper bound of scratch memory; a small Jetson shares it with the CPU.
        compute_capabilities: Such as `SM87`; the GPU that is there where empty. Only TensorRT-RTX
            builds for a GPU that is not there.
        timing_cache: File with the timings of earlier builds on this device; read, and written
            again. One of another device or version is not used.

    Raises:
        MissingDependencyError: TensorRT is not installed.
        InputError: This TensorRT is older than 10, or cannot do what was asked for.
        ArtefactError: The ONNX is missing or TensorRT cannot parse it; the nodes are named.
        EngineBuildError: TensorRT could not build an engine.
    """
    trt = trt or load_tensorrt()
    if not onnx.is_file():
        raise ArtefactError(f"{onnx} is missing", "copy the bundle's whole folder")
    start = time.perf_counter()
    logger = _logger(trt)
    logger.errors.clear()
    builder = trt.Builder(logger)
    network = builder.create_network(_network_flags(trt))
    _parse(trt, network, logger, onnx)
    config = _configured(trt, builder, workspace_bytes, compute_capabilities)
    cache = _load_timings(config, timing_cache)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        message = f"TensorRT could not build {onnx.name}: {_last(logger.errors)}"
        raise EngineBuildError(message, "try precision fp32, or a smaller workspace")
    write_whole(out, bytes(engine))
    _save_timings(cache, timing_cache)
    seconds = time.perf_counter() - start
    return EngineReport(out, _versions(trt), round(seconds, 3), out.stat().st_size)


@functools.cache
def _logger(trt: ModuleType) -> Any:
    """A logger that keeps errors, one per process: TensorRT holds on to the first it is given."""

    class KeepingLogger(trt.ILogger):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                self.errors.append(message)

    return KeepingLogger()


def _network_flags(trt: ModuleType) -> int:
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    version = str(trt.__version__)
    if int(version.split(".")[0]) >= 11:
        return 0  # every network is strongly typed, and the flag is deprecated
    if flag is None:
        message = f"TensorRT {version} knows no strongly typed networks"
        raise InputError(message, "use TensorRT 10 or newer (JetPack 6.1 or newer)")
    return 1 << int(flag)


def _parse(trt: ModuleType, network: Any, logger: Any, onnx: Path) -> None:
    parser = trt.OnnxParser(network, logger)
    if parser.parse_from_file(str(onnx)):
        return
    told = [_told(parser.get_error(index)) for index in range(parser.num_errors)]
    message = f"TensorRT cannot parse {onnx.name}: {'; '.join(told) or _last(logger.errors)}"
    raise ArtefactError(message, "check it on the host with edgekd.lower.engine.lint.check_onnx")


def _told(error: Any) -> str:
    """One parser error with its node; older bindings give only the node's index."""
    name = error.node_name() if hasattr(error, "node_name") else f"number {error.node()}"
    operator = f" ({error.node_operator()})" if hasattr(error, "node_operator") else ""
    return f"node {name}{operator}: {' '.join(error.desc().split())}"


def _configured(
    trt: ModuleType, builder: Any, workspace_bytes: int | None, capabilities: Sequence[str]
) -> Any:
    config = builder.create_builder_config()
    if workspace_bytes is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, workspace_bytes)
    if not capabilities:
        return config
    known = getattr(getattr(trt, "ComputeCapability", None), "__members__", {})
    unknown = [name for name in capabilities if name not in known]
    if unknown:
        message = f"this TensorRT cannot build for {', '.join(unknown)}"
        raise InputError(message, f"known: {', '.join(known) or 'only the GPU that is there'}")
    config.num_compute_capabilities = len(capabilities)
    for index, name in enumerate(capabilities):
        config.set_compute_capability(known[name], index)
    return config


def _load_timings(config: Any, file: Path | None) -> Any:
    """Give the config the timings of `file`, or none where TensorRT finds them foreign."""
    if file is None:
        return None
    known = file.read_bytes() if file.is_file() else b""
    cache = config.create_timing_cache(known)
    if cache is None or not config.set_timing_cache(cache, False):
        cache = config.create_timing_cache(b"")
        config.set_timing_cache(cache, False)
    return cache


def _save_timings(cache: Any, file: Path | None) -> None:
    timings = cache.serialize() if cache is not None else None
    if file is not None and timings is not None:
        write_whole(file, bytes(timings))


def _versions(trt: ModuleType) -> dict[str, str]:
    parser = getattr(trt, "get_nv_onnx_parser_version", None)
    versions = {trt.__name__: str(trt.__version__)}
    return versions if parser is None else versions | {"onnx-parser": str(parser())}


def _last(errors: list[str]) -> str:
    return " ".join(errors[-1].split()) if errors else "it gave no reason"
