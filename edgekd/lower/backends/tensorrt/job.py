"""The process that builds an engine: `python -m edgekd.lower.backends.tensorrt.job job.json`.

It imports PyTorch only to build by torch-tensorrt, so that the build has a small board's memory to
itself; all of it is freed at the end, and a build that the system kills ends nothing else.
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
from edgekd.lower.backends.tensorrt.library import (
    load_tensorrt,
    load_tensorrt_rtx,
    load_torch_tensorrt,
)
from edgekd.lower.backends.tensorrt.memory import Budget, budget_of, read_memory
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
    "PROGRAM",
    "EngineJob",
    "EngineResult",
    "Library",
    "environment_of",
    "run_engine_job",
]

ENGINE = "model.engine"
PROGRAM = "model.pt2"
"""The file that torch-tensorrt builds from, see `edgekd.lower.backends.tensorrt.program`."""
_MODULE = "edgekd.lower.backends.tensorrt.job"  # this one; __name__ is __main__ there
_RESULT = "result.json"

Library = Literal["tensorrt", "tensorrt-rtx"]


class EngineJob(msgspec.Struct, frozen=True, kw_only=True):
    """An engine to build, or a request for the environment alone.

    Attributes:
        out: Folder that gets `model.engine`, its sidecar and `result.json`.
        onnx: The file to build from; None requests the environment alone.
        program: The program that torch-tensorrt builds from instead, which was made of `onnx`.
        library: TensorRT, or TensorRT-RTX, which builds for GPUs that are not installed.
        capabilities: Compute capabilities for TensorRT-RTX, such as `SM86`.
        tf32: See `build_engine`.
        timings: Prefix of the timing caches' names; each environment has its own.
    """

    out: str
    onnx: str | None = None
    program: str | None = None
    library: Library = "tensorrt"
    capabilities: tuple[str, ...] = ()
    tf32: bool = True
    timings: str | None = None


class EngineResult(msgspec.Struct, frozen=True, kw_only=True):
    """The environment of this machine, and the engine that was built on it.

    Attributes:
        environment: What the engine is bound to.
        seconds: Time of building; 0 where no engine was built.
        size_bytes: Size of the engine.
        versions: Versions of TensorRT and its parser, or of torch-tensorrt.
    """

    environment: EngineEnvironment
    seconds: float = 0.0
    size_bytes: int = 0
    versions: dict[str, str] = {}


def run_engine_job(
    job: EngineJob, *, log: Path, report: Callable[[str], None] = lambda state: None
) -> EngineResult:
    """Run the job in a process of its own.

    Args:
        job: The engine to build.
        log: File for TensorRT's messages.
        report: Called with each step's description.

    Raises:
        JobError: The job failed, with the exit code of the cause: 3 for no TensorRT or
            torch-tensorrt, 5 for no GPU, 6 for a file that cannot be read. `killed` means a lack of
            memory.
    """
    result = Path(job.out) / _RESULT
    raw = run_in_process(_MODULE, job, title="TensorRT", log=log, result=result, report=report)
    return msgspec.json.decode(raw, type=EngineResult)


def run_job(job: EngineJob) -> None:
    """Build, and write the sidecar and `result.json`.

    Raises:
        EdgekdError: See `run_engine_job`.
    """
    trt = _tensorrt_of(job)
    refuse_old_tensorrt(trt)
    result = EngineResult(environment=environment_of(trt, job))
    try:
        if job.onnx is not None:
            result = _build(trt, job, Path(job.onnx), result.environment)
        write_atomically(Path(job.out) / _RESULT, pretty_json(result))
    except OSError as error:
        message = f"the engine cannot be written: {error.strerror or error}"
        raise InputError(message, "make room on that disk") from error


def _tensorrt_of(job: EngineJob) -> ModuleType:
    if job.library == "tensorrt":
        return load_tensorrt()
    if job.program is None:
        return load_tensorrt_rtx()
    load_torch_tensorrt()  # brings a TensorRT-RTX of its own, as `tensorrt`
    return load_tensorrt()


def environment_of(trt: ModuleType, job: EngineJob) -> EngineEnvironment:
    """What an engine of this job is bound to.

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
    if job.program is not None:
        report = _compiled(job, Path(job.program), budget)
    else:
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
    write_sidecar(report.path, _sidecar(report, job, environment))
    return EngineResult(
        environment=environment,
        seconds=report.seconds,
        size_bytes=report.bytes,
        versions=report.versions,
    )


def _compiled(job: EngineJob, program: Path, budget: Budget) -> EngineReport:
    from edgekd.lower.backends.tensorrt.compiled import compile_engine

    announce("torch-tensorrt converts and builds the program")
    return compile_engine(
        program,
        Path(job.out) / ENGINE,
        workspace_bytes=budget.workspace_bytes,
        optimization_level=budget.optimization_level,
        tf32=job.tf32,
    )


def _timing_cache(beginning: str | None, environment: EngineEnvironment) -> Path | None:
    """The timing cache of an environment: timings are of no use to another one."""
    if beginning is None:
        return None
    key = hashlib.sha256(msgspec.json.encode(environment)).hexdigest()[:12]
    return Path(f"{beginning}.{key}.timing")


def _sidecar(report: EngineReport, job: EngineJob, environment: EngineEnvironment) -> EngineSidecar:
    return EngineSidecar(
        environment=environment,
        engine_sha256=sha256_of(report.path),
        onnx_sha256=sha256_of(Path(job.onnx)) if job.onnx else "",
        flags=report.flags,
        via="onnx-parser" if job.program is None else "torch-tensorrt",
        program_sha256=sha256_of(Path(job.program)) if job.program else "",
        versions=report.versions,
    )


if __name__ == "__main__":
    sys.exit(serve(EngineJob, run_job, sys.argv[1:]))
