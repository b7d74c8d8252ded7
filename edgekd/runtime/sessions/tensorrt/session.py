"""Serialized TensorRT engines (10.x, 11.x) on the GPU, through cuda-python."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekd.bundle.model_files import ModelFiles
from edgekd.errors import ArtefactError, MissingDependencyError
from edgekd.runtime.sessions._engine import (
    EngineSession,
    Shortfall,
    check_contract,
    require_file,
)
from edgekd.runtime.sessions.base import Facts, Image, Output
from edgekd.runtime.sessions.tensorrt.environment import (
    engine_environment,
    load_cudart,
    refuse_old_tensorrt,
)
from edgekd.runtime.sessions.tensorrt.logger import keeping_logger
from edgekd.runtime.sessions.tensorrt.run import EngineRun
from edgekd.runtime.sessions.tensorrt.sidecar import check_engine_matches_device, rebuild_hint

if TYPE_CHECKING:
    import tensorrt

__all__ = ["TensorRtSession", "open_file"]


def open_file(
    model: ModelFiles,
    *,
    threads: int | None = None,
    accelerator: str | None = None,
    require: bool = False,
) -> TensorRtSession:
    """Open a serialized engine. Errors: see `open_session`.

    An engine that was built for another machine is refused before TensorRT reads it.

    Args:
        model: The engine with its sidecar, built on this device by `edgekd build --on-device`.
        threads: Not used, since the GPU computes.
        accelerator: Only `gpu` can be obtained.
        require: See `open_session`.
    """
    del threads
    trt, cudart = _import_tensorrt(), load_cudart()
    refuse_old_tensorrt(trt)
    require_file(model)
    content = model.read()
    sidecar = check_engine_matches_device(model, content, engine_environment(trt, cudart))
    engine = _deserialised(trt, model, content)
    facts: Facts = {f"built_{name}": value for name, value in sidecar.flags.items()}
    session = TensorRtSession(model, trt, cudart, engine, accelerator, facts)
    if require:
        session.require_all()
    return session


class TensorRtSession(EngineSession):
    """An engine with its buffers and one stream; opened by `open_file`."""

    backend = "tensorrt"

    def __init__(
        self,
        model: ModelFiles,
        trt: Any,
        cudart: Any,
        engine: tensorrt.ICudaEngine,
        requested: str | None,
        built: Facts,
    ) -> None:
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        inputs = [name for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
        outputs = [name for name in names if name not in inputs]
        taken, given = _described(trt, engine, inputs), _described(trt, engine, outputs)
        contract = check_contract(model, taken, given)
        self._run = EngineRun(cudart, engine, (inputs[0], contract[0]), (outputs[0], contract[1]))
        facts: Facts = {
            "engine": f"tensorrt {trt.__version__}",
            "accelerator_asked": requested,
            "accelerator": "GPU",
            "cuda_graph": self._run.graph_failure is None,
            "cuda_graph_failure": self._run.graph_failure,
        }
        super().__init__(model, contract, facts | built, _shortfalls(requested))

    def _infer(self, image: Image) -> Output:
        return self._run(image)

    def _release(self) -> None:
        self._run.close()


def _deserialised(trt: Any, model: ModelFiles, content: bytes) -> tensorrt.ICudaEngine:
    logger = keeping_logger(trt)
    logger.errors.clear()
    runtime: tensorrt.Runtime = trt.Runtime(logger)
    # A version-compatible engine contains host code; loading one would run foreign code.
    runtime.engine_host_code_allowed = False
    engine: tensorrt.ICudaEngine | None = runtime.deserialize_cuda_engine(content)
    if engine is None:
        errors = f": {'; '.join(logger.errors)}" if logger.errors else ""
        message = (
            f"TensorRT {trt.__version__} does not load {model.name}, or it needs host code, which "
            f"is never allowed{errors}"
        )
        raise ArtefactError(message, rebuild_hint(model))
    return engine


def _shortfalls(requested: str | None) -> list[Shortfall]:
    if requested is None or requested.lower() == "gpu":
        return []
    what = f"{requested} was requested, but a TensorRT engine runs on the GPU that it was built for"
    return [Shortfall(what, "it runs there", "leave the accelerator out, or take another backend")]


def _described(
    trt: Any, engine: tensorrt.ICudaEngine, names: list[str]
) -> tuple[tuple[int, ...], str]:
    """Shape and numpy dtype of the only tensor; a dynamic side is -1, as in TensorRT."""
    if len(names) != 1:
        return (), f"{len(names)} tensors"
    sides = engine.get_tensor_shape(names[0])
    shape = tuple(int(sides[index]) for index in range(len(sides)))
    return shape, np.dtype(trt.nptype(engine.get_tensor_dtype(names[0]))).name


def _import_tensorrt() -> Any:
    try:
        return import_module("tensorrt")
    except ImportError as error:
        missing = MissingDependencyError("TensorRT", "tensorrt", "run an engine on the GPU")
        missing.hint = (
            "TensorRT comes with JetPack (apt install tensorrt python3-libnvinfer), "
            "elsewhere with pip install tensorrt"
        )
        raise missing from error
