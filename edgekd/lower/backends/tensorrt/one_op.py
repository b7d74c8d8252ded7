"""The smallest engine that proves that TensorRT works on a machine.

`python -m edgekd.lower.backends.tensorrt.one_op job.json` is the process that builds it.

An installed TensorRT may still lack its libraries, its GPU or the right to use it, which only
building and running an engine shows. The network is made by TensorRT's own calls, so that neither
onnx nor a bundle is needed; it has the input and output of a student, so that the session of
bundles runs it. It is built and run in processes of their own, since such libraries may crash.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec
import numpy as np

from edgekd.errors import GateFailedError
from edgekd.files import pretty_json, sha256_of, write_atomically
from edgekd.lower.backends.tensorrt.api import TensorRt
from edgekd.lower.backends.tensorrt.builder import configured, network_flags, serialized
from edgekd.lower.backends.tensorrt.job import ENGINE, EngineJob, EngineResult, environment_of
from edgekd.lower.backends.tensorrt.library import load_tensorrt, load_tensorrt_rtx
from edgekd.lower.jobs.process import run_in_process, serve
from edgekd.lower.jobs.trial import TrialJob, try_files
from edgekd.runtime.sessions.tensorrt.environment import EngineEnvironment, refuse_old_tensorrt
from edgekd.runtime.sessions.tensorrt.logger import keeping_logger
from edgekd.runtime.sessions.tensorrt.sidecar import EngineSidecar, write_sidecar

if TYPE_CHECKING:
    import tensorrt

__all__ = ["build_one_op", "run_one_op"]

_MODULE = "edgekd.lower.backends.tensorrt.one_op"  # this one; __name__ is __main__ there
_RESULT = "result.json"
_SIDE = 8
_WORKSPACE = 16 << 20
_TOLERANCE = 1e-2  # of a mean of bytes; half precision would still be within it


def build_one_op(job: EngineJob, *, log: Path) -> EngineResult:
    """Build the engine in a process of its own.

    Args:
        job: The folder and the library, without an ONNX file.
        log: File for TensorRT's messages.

    Raises:
        JobError: TensorRT does not work here, with the exit code of the cause: 2 for one that is
            too old, 3 for a package that is missing, 5 for no GPU.
    """
    result = Path(job.out) / _RESULT
    raw = run_in_process(_MODULE, job, title="a one-op engine", log=log, result=result)
    return msgspec.json.decode(raw, type=EngineResult)


def run_one_op(out: Path, *, session: str = "tensorrt", log: Path) -> float:
    """Run the engine that `build_one_op` wrote, by the session that runs bundles.

    Args:
        out: The folder.
        session: Name of the session backend.
        log: File for the engine's messages.

    Returns:
        Milliseconds of a run, the median of eight.

    Raises:
        JobError: The engine cannot be opened or run.
        GateFailedError: The engine runs, but its output is wrong.
    """
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (8, _SIDE, _SIDE, 3)).astype(np.uint8)
    np.save(out / "images.npy", images)
    job = TrialJob(
        session=session,
        files={"engine": str(out / ENGINE)},
        images=str(out / "images.npy"),
        out=str(out / "run"),
    )
    answers = try_files(job, log=log)["engine"]
    difference = float(np.abs(answers.outputs - images.mean(axis=(1, 2))).max())
    if not difference <= _TOLERANCE:
        message = f"a one-op engine answers wrongly: off by {difference:.3g} of 255"
        raise GateFailedError(message, "install JetPack's TensorRT again")
    return answers.latency_ms


def build_here(job: EngineJob) -> None:
    """Build the engine, and write its sidecar and `result.json`.

    Raises:
        EdgekdError: See `build_one_op`.
    """
    trt = load_tensorrt_rtx() if job.library == "tensorrt-rtx" else load_tensorrt()
    refuse_old_tensorrt(trt)
    environment = environment_of(trt, job)
    start = time.perf_counter()
    engine = _engine_of(cast("TensorRt", trt), job.capabilities)
    write_atomically(Path(job.out) / ENGINE, engine)
    seconds = round(time.perf_counter() - start, 3)
    size = _write_sidecar(Path(job.out) / ENGINE, environment)
    result = EngineResult(environment=environment, seconds=seconds, size_bytes=size)
    write_atomically(Path(job.out) / _RESULT, pretty_json(result))


def _engine_of(trt: TensorRt, capabilities: Sequence[str]) -> bytes:
    logger = keeping_logger(trt)
    builder = trt.Builder(logger)
    network = builder.create_network(network_flags(trt))
    _describe(trt, network)
    config = configured(trt, builder, capabilities)
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, _WORKSPACE)
    return serialized(builder, network, config, logger, title="a one-op engine")


def _write_sidecar(engine: Path, environment: EngineEnvironment) -> int:
    """Write the sidecar; returns the size of the engine, in bytes."""
    sha256 = sha256_of(engine)
    sidecar = EngineSidecar(
        environment=environment, engine_sha256=sha256, onnx_sha256="", flags={"one_op": True}
    )
    write_sidecar(engine, sidecar)
    return engine.stat().st_size


def _describe(trt: TensorRt, network: tensorrt.INetworkDefinition) -> None:
    """uint8 [1, S, S, 3] to float32 [1, 3]: the mean of each channel."""
    image = network.add_input("image", trt.uint8, trt.Dims([1, _SIDE, _SIDE, 3]))
    pixels = network.add_cast(image, trt.float32).get_output(0)
    height_and_width = 1 << 1 | 1 << 2
    mean = network.add_reduce(pixels, trt.ReduceOperation.AVG, height_and_width, False)
    logits = mean.get_output(0)
    logits.name = "logits"
    network.mark_output(logits)


if __name__ == "__main__":
    sys.exit(serve(EngineJob, build_here, sys.argv[1:]))
