"""Builds a TensorRT engine from ONNX, on the device that will run it, without PyTorch.

Engines are bound to TensorRT's version, the operating system and the GPU, and their kernels are
chosen by timing on that very GPU; so the host hands over ONNX and the device finishes it.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from edgekd.errors import ArtefactError, EdgekdError, InputError
from edgekd.files import write_atomically
from edgekd.lower.backends.tensorrt.api import TensorRt
from edgekd.lower.backends.tensorrt.library import load_tensorrt
from edgekd.runtime.sessions.tensorrt.environment import refuse_old_tensorrt
from edgekd.runtime.sessions.tensorrt.logger import keeping_logger

if TYPE_CHECKING:
    import tensorrt

__all__ = [
    "EngineBuildError",
    "EngineReport",
    "Phases",
    "build_engine",
    "configured",
    "network_flags",
    "serialized",
]

_Result = TypeVar("_Result")


class EngineBuildError(EdgekdError):
    """TensorRT parsed the network but could not build an engine from it."""


@dataclass(frozen=True)
class EngineReport:
    """An engine that was built.

    Attributes:
        path: The engine's file.
        versions: Versions of TensorRT and its ONNX parser.
        seconds: Time of parsing and building.
        bytes: Size of the engine.
        flags: Settings of the builder.
    """

    path: Path
    versions: dict[str, str]
    seconds: float
    bytes: int
    flags: dict[str, int | bool]


def build_engine(
    onnx: Path,
    out: Path,
    *,
    trt: ModuleType | None = None,
    workspace_bytes: int | None = None,
    compute_capabilities: Sequence[str] = (),
    timing_cache: Path | None = None,
    optimization_level: int | None = None,
    tf32: bool = True,
    progress: Callable[[str], None] | None = None,
) -> EngineReport:
    """Build a serialized engine. It is written whole or not at all.

    The network is strongly typed: the ONNX file sets all precisions, which is the only way in
    TensorRT 11 and works since 10. The engine is never version-compatible: such an engine contains
    host code, and loading it would run foreign code.

    Args:
        onnx: The file; int8 as Q/DQ pairs.
        out: The engine's file.
        trt: TensorRT's Python module, or one with the same interface (TensorRT-RTX);
            None imports `tensorrt`.
        workspace_bytes: Upper bound of scratch memory; a small Jetson shares it with the CPU.
        compute_capabilities: Such as `SM87`; empty for the installed GPU. Only TensorRT-RTX builds
            for other GPUs.
        timing_cache: File with the timings of earlier builds on this device; read, and written
            again. One of another device or version is not used.
        optimization_level: 0 (the builder searches least) to 5; None is TensorRT's default, 3.
        tf32: Whether float32 may be multiplied with 10 bits of mantissa, which is
            TensorRT's default.
        progress: Called with the phase that TensorRT reports.

    Raises:
        MissingDependencyError: TensorRT is not installed.
        InputError: This TensorRT is older than 10, or does not support a setting.
        ArtefactError: The ONNX is missing or TensorRT cannot parse it; the nodes are named.
        EngineBuildError: TensorRT could not build an engine.
    """
    api = cast("TensorRt", trt or load_tensorrt())
    if not onnx.is_file():
        raise ArtefactError(f"{onnx} is missing", "copy the bundle's whole folder")
    start = time.perf_counter()
    logger = keeping_logger(api)
    logger.errors.clear()
    builder = api.Builder(logger)
    network = builder.create_network(network_flags(api))
    _parse(api, network, logger, onnx)
    config = configured(api, builder, compute_capabilities)
    flags = _set_flags(api, config, workspace_bytes, optimization_level, tf32=tf32)
    monitor = _monitor(api, config, progress)  # must outlive the build
    cache = _load_timings(config, timing_cache)
    engine = serialized(builder, network, config, logger, title=onnx.name)
    del monitor
    write_atomically(out, engine)
    _save_timings(cache, timing_cache)
    seconds = time.perf_counter() - start
    return EngineReport(out, _versions(api), round(seconds, 3), out.stat().st_size, flags)


def serialized(
    builder: tensorrt.Builder,
    network: tensorrt.INetworkDefinition,
    config: tensorrt.IBuilderConfig,
    logger: Any,
    *,
    title: str,
) -> bytes:
    """The engine of a network.

    Args:
        builder: Builder of the network and the config.
        network: The network.
        config: Settings of the build.
        logger: The builder's logger, of `keeping_logger`.
        title: Name of the network, for the error.

    Raises:
        EngineBuildError: TensorRT could not build it; with its last error.
    """
    engine = _or_none(builder.build_serialized_network(network, config))
    if engine is None:
        message = f"TensorRT could not build {title}: {_last_of(logger.errors)}"
        raise EngineBuildError(message, "try precision fp32, or a smaller workspace")
    return bytes(engine)


def _or_none(result: _Result) -> _Result | None:
    """A result that is None where TensorRT failed; its type stubs leave out the None."""
    return result


def network_flags(trt: TensorRt) -> int:
    """Flags of a strongly typed network.

    Raises:
        InputError: This TensorRT does not support them.
    """
    refuse_old_tensorrt(trt)
    if int(str(trt.__version__).split(".")[0]) >= 11:
        return 0  # every network is strongly typed, and the flag is deprecated
    return 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)


def _parse(trt: TensorRt, network: tensorrt.INetworkDefinition, logger: Any, onnx: Path) -> None:
    parser = trt.OnnxParser(network, logger)
    if parser.parse_from_file(str(onnx)):
        return
    errors = [_parser_error(parser.get_error(index)) for index in range(parser.num_errors)]
    message = f"TensorRT cannot parse {onnx.name}: {'; '.join(errors) or _last_of(logger.errors)}"
    raise ArtefactError(message, "build the bundle again on the host, which checks the file")


def _parser_error(error: tensorrt.ParserError) -> str:
    """A parser error with its node; older bindings report only the node's index."""
    name = error.node_name() if hasattr(error, "node_name") else f"number {error.node()}"
    operator = f" ({error.node_operator()})" if hasattr(error, "node_operator") else ""
    return f"node {name}{operator}: {' '.join(error.desc().split())}"


def configured(
    trt: TensorRt, builder: tensorrt.Builder, capabilities: Sequence[str]
) -> tensorrt.IBuilderConfig:
    """A builder's config, for the installed GPU or for compute capabilities.

    Raises:
        InputError: This TensorRT does not build for one of them.
    """
    config = builder.create_builder_config()
    if not capabilities:
        return config
    known = getattr(getattr(trt, "ComputeCapability", None), "__members__", {})
    unknown = [name for name in capabilities if name not in known]
    if unknown:
        message = f"this TensorRT cannot build for {', '.join(unknown)}"
        raise InputError(message, f"known: {', '.join(known) or 'only the installed GPU'}")
    rtx: Any = config  # only TensorRT-RTX's has these
    rtx.num_compute_capabilities = len(capabilities)
    for index, name in enumerate(capabilities):
        rtx.set_compute_capability(known[name], index)
    return config


def _set_flags(
    trt: TensorRt,
    config: tensorrt.IBuilderConfig,
    workspace_bytes: int | None,
    level: int | None,
    *,
    tf32: bool,
) -> dict[str, int | bool]:
    """Change TensorRT's defaults; returns the settings that were made."""
    flags: dict[str, int | bool] = {"tf32": tf32}
    if not tf32:
        config.clear_flag(trt.BuilderFlag.TF32)
    if workspace_bytes is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, workspace_bytes)
        flags["workspace_bytes"] = workspace_bytes
    if level is not None:
        config.builder_optimization_level = level
        flags["optimization_level"] = level
    return flags


def _monitor(
    trt: TensorRt, config: tensorrt.IBuilderConfig, progress: Callable[[str], None] | None
) -> Any:
    """Report the phases of the build to `progress`, at most every other second."""
    if progress is None or not hasattr(trt, "IProgressMonitor"):
        return None

    phases = Phases(progress)

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            phases.start(phase_name, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            phases.step(phase_name, step + 1)
            return True  # go on

        def phase_finish(self, phase_name: str) -> None:
            phases.finish(phase_name)

    monitor = Monitor()
    config.progress_monitor = monitor
    return monitor


class Phases:
    """TensorRT's nested phases as one line of progress.

    Source: NVIDIA TensorRT documentation, `IProgressMonitor`: it calls from several threads.

    Args:
        say: Called with the line; at once for an outermost phase, else every `pause` seconds.
        pause: Seconds between two lines.
    """

    def __init__(self, say: Callable[[str], None], pause: float = 2.0) -> None:
        self._say, self._pause = say, pause
        self._phases: dict[str, list[int]] = {}  # done and all steps, the outermost phase first
        self._last = -math.inf
        self._lock = threading.Lock()

    def start(self, name: str, steps: int) -> None:
        """Begin a phase."""
        with self._lock:
            self._phases[name] = [0, steps]
            self._report(at_once=len(self._phases) == 1)

    def step(self, name: str, done: int) -> None:
        """Set the number of steps of a phase that are done."""
        with self._lock:
            if name in self._phases:
                self._phases[name][0] = done
                self._report()

    def finish(self, name: str) -> None:
        """End a phase."""
        with self._lock:
            self._phases.pop(name, None)

    def _report(self, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if not at_once and now - self._last < self._pause:
            return
        self._last = now
        names = list(self._phases)
        shown = names if len(names) == 1 else [names[0], names[-1]]
        self._say("; ".join(self._words(name) for name in shown))

    def _words(self, name: str) -> str:
        done, steps = self._phases[name]
        return f"{name} {done}/{steps}" if steps > 1 else name


def _load_timings(
    config: tensorrt.IBuilderConfig, file: Path | None
) -> tensorrt.ITimingCache | None:
    """Give the config the timings of `file`; none where they are of another device or version."""
    if file is None:
        return None
    known = file.read_bytes() if file.is_file() else b""
    cache = _or_none(config.create_timing_cache(known))
    if cache is None or not config.set_timing_cache(cache, False):
        cache = config.create_timing_cache(b"")
        config.set_timing_cache(cache, False)
    return cache


def _save_timings(cache: tensorrt.ITimingCache | None, file: Path | None) -> None:
    timings = cache.serialize() if cache is not None else None
    if file is not None and timings is not None:
        write_atomically(file, bytes(timings))


def _versions(trt: TensorRt) -> dict[str, str]:
    parser = getattr(trt, "get_nv_onnx_parser_version", None)
    versions = {trt.__name__: str(trt.__version__)}
    return versions if parser is None else versions | {"onnx-parser": str(parser())}


def _last_of(errors: list[str]) -> str:
    """TensorRT's last error; see `keeping_logger`."""
    return errors[-1] if errors else "it gave no reason"
