"""The process that builds an engine: `python -m edgekd.lower.backends.tensorrt.job job.json`.

A process of its own, without PyTorch: on a small board the memory is the build's, all of it comes
back when it ends, and one that the system kills takes nothing with it.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Literal

import msgspec

from edgekd.errors import InputError
from edgekd.files import pretty_json, sha256_of, write_atomically
from edgekd.lower.backends.tensorrt.builder import EngineReport, build_engine
from edgekd.lower.backends.tensorrt.library import load_tensorrt, load_tensorrt_rtx
from edgekd.lower.backends.tensorrt.memory import budget_of, read_memory
from edgekd.lower.jobs.process import announce, run_in_process, serve
from edgekd.runtime.sessions.tensorrt.environment import (
    EngineEnvironment,
    engine_environment,
    l4t_release,
    load_cudart,
    refuse_old_tensorrt,
)
from edgekd.runtime.sessions.tensorrt.sidecar import EngineSidecar, write_sidecar

__all__ = [
    "ENGINE",
    "EngineJob",
    "EngineResult",
    "Library",
    "environment_of",
    "run_engine_job",
]

ENGINE = "model.engine"
_MODULE = "edgekd.lower.backends.tensorrt.job"  # this one; __name__ is __main__ there
_RESULT = "result.json"

Library = Literal["tensorrt", "tensorrt-rtx"]


class EngineJob(msgspec.Struct, frozen=True, kw_only=True):
    """What to build, or only which machine this is.

    Attributes:
        out: Folder that gets `model.engine`, its sidecar and `result.json`.
        onnx: The file to build from; None only asks for the environment.
        library: TensorRT, or TensorRT-RTX, which builds for a GPU that is not there.
        capabilities: Compute capabilities for TensorRT-RTX, such as `SM86`.
        tf32: See `build_engine`.
        timings: Beginning of the name of the timing caches; each environment has its own.
    """

    out: str
    onnx: str | None = None
    library: Library = "tensorrt"
    capabilities: tuple[str, ...] = ()
    tf32: bool = True
    timings: str | None = None


class EngineResult(msgspec.Struct, frozen=True, kw_only=True):
    """What this machine is, and what was built on it.

    Attributes:
        environment: What the engine is tied to.
        seconds: Time of building; 0 where nothing was.
        size_bytes: Of the engine.
        versions: TensorRT and its parser.
    """

    environment: EngineEnvironment
    seconds: float = 0.0
    size_bytes: int = 0
    versions: dict[str, str] = {}


def run_engine_job(
    job: EngineJob, *, log: Path, on_state: Callable[[str], None] = lambda state: None
) -> EngineResult:
    """Run the job in a process of its own.

    Args:
        job: What to do.
        log: File for TensorRT's chatter.
        on_state: Takes one line for each step.

    Raises:
        JobError: It failed, with the exit code of the cause: 3 for no TensorRT, 5 for no GPU, 6
            for an ONNX file that cannot be parsed. `killed` tells a lack of memory.
    """
    result = Path(job.out) / _RESULT
    raw = run_in_process(_MODULE, job, title="TensorRT", log=log, result=result, on_state=on_state)
    return msgspec.json.decode(raw, type=EngineResult)


def run_job(job: EngineJob) -> None:
    """Build, and write the sidecar and `result.json`.

    Raises:
        EdgekdError: See `run_engine_job`.
    """
    trt = load_tensorrt_rtx() if job.library == "tensorrt-rtx" else load_tensorrt()
    refuse_old_tensorrt(trt)
    result = EngineResult(environment=environment_of(trt, job))
    try:
        if job.onnx is not None:
            result = _build(trt, job, Path(job.onnx), result.environment)
        write_atomically(Path(job.out) / _RESULT, pretty_json(result))
    except OSError as error:
        message = f"the engine cannot be written: {error.strerror or error}"
        raise InputError(message, "make room on that disk") from error


def environment_of(trt: ModuleType, job: EngineJob) -> EngineEnvironment:
    """What an engine of this job is tied to.

    Raises:
        MissingDependencyError: cuda-python is not installed.
        DeviceUnreachableError: No GPU answers.
    """
    if job.library == "tensorrt":
        return engine_environment(trt, load_cudart())
    return EngineEnvironment(
        tensorrt=f"RTX {trt.__version__}",
        l4t=l4t_release(),
        cuda="",
        gpu="",
        capability=", ".join(job.capabilities),
    )


def _build(
    trt: ModuleType, job: EngineJob, onnx: Path, environment: EngineEnvironment
) -> EngineResult:
    budget = budget_of(read_memory().get("MemAvailable"))
    announce(f"building for {environment}, with {budget.workspace_bytes >> 20} MiB of workspace")
    report = build_engine(
        onnx,
        Path(job.out) / ENGINE,
        trt=trt,
        workspace_bytes=budget.workspace_bytes,
        compute_capabilities=job.capabilities,
        timing_cache=_timing_cache(job.timings, environment),
        optimization_level=budget.optimization_level,
        tf32=job.tf32,
        progress=announce,
    )
    write_sidecar(report.path, _sidecar(report, onnx, environment))
    return EngineResult(
        environment=environment,
        seconds=report.seconds,
        size_bytes=report.bytes,
        versions=report.versions,
    )


def _timing_cache(beginning: str | None, environment: EngineEnvironment) -> Path | None:
    """A cache is of use to the very environment that measured it, and to no other."""
    if beginning is None:
        return None
    key = hashlib.sha256(msgspec.json.encode(environment)).hexdigest()[:12]
    return Path(f"{beginning}.{key}.timing")


def _sidecar(report: EngineReport, onnx: Path, environment: EngineEnvironment) -> EngineSidecar:
    return EngineSidecar(
        environment=environment,
        engine_sha256=sha256_of(report.path),
        onnx_sha256=sha256_of(onnx),
        flags=report.flags,
    )


if __name__ == "__main__":
    sys.exit(serve(EngineJob, run_job, sys.argv[1:]))
