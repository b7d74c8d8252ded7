"""OpenVINO IR files (`model.xml` with `model.bin` beside it), on the CPU or another device."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

import numpy as np

from edgekd.bundle.model_files import ModelFiles
from edgekd.errors import MissingDependencyError
from edgekd.runtime.sessions._engine import (
    Contract,
    EngineSession,
    Shortfall,
    check_contract,
    damaged_model,
    require_file,
    version_of,
)
from edgekd.runtime.sessions._openvino_cache import Cache
from edgekd.runtime.sessions._openvino_device import (
    choose_device,
    device_refused,
    device_shortfall,
    executing,
    obtained,
    settings_for,
)
from edgekd.runtime.sessions.base import Facts, Image, Output
from edgekd.runtime.telemetry import silence

__all__ = ["OpenVinoSession", "open_file"]

_CPU = "CPU"
_ERRORS = (RuntimeError, UnicodeDecodeError)
"""Errors that OpenVINO raises; the second where a message quotes bytes of a damaged file."""
_RECORDED = {
    "precision_hint": "INFERENCE_PRECISION_HINT",
    "performance_hint": "PERFORMANCE_HINT",
    "threads": "INFERENCE_NUM_THREADS",
    "streams": "NUM_STREAMS",
}


def open_file(
    model: ModelFiles,
    *,
    threads: int | None = None,
    accelerator: str | None = None,
    require: bool = False,
    precision: str = "f32",
) -> OpenVinoSession:
    """Open an IR file for lowest latency of one image.

    Args:
        model: The `.xml` file; its weights are the `.bin` of the same name.
        threads: Number of CPU threads, or None for OpenVINO's choice.
        accelerator: See `open_session`, also for the errors.
        require: See `open_session`.
        precision: Type of the float arithmetic: `f32`, `bf16` or `f16`. Without the hint OpenVINO
            takes bf16 on recent Xeons and f16 on ARM, and an fp32 file would not run as fp32.
            In int8 files it applies to the layers that are not quantised. A device that does
            not support it chooses another; `facts` state which.
    """
    core = _import_openvino().Core()
    network = _read(core, model)
    contract = check_contract(model, _described(network.inputs), _described(network.outputs))
    cache = Cache.of(core, model)
    device, shortfall = choose_device(core, accelerator)
    compiled = None
    if device != _CPU:
        try:
            settings = settings_for(core, device, threads, precision)
            compiled = cache.compile(network, device, settings)
            shortfall = device_shortfall(compiled, device)
        except RuntimeError as error:
            shortfall = device_refused(device, error)
    if compiled is None:
        compiled = _on_cpu(cache, model, network, settings_for(core, _CPU, threads, precision))
    session = OpenVinoSession(model, contract, compiled, accelerator, shortfall, cache.state)
    if require:
        session.require_all()
    return session


class OpenVinoSession(EngineSession):
    """An IR file on one device; opened by `open_file`."""

    backend = "openvino"

    def __init__(
        self,
        model: ModelFiles,
        contract: Contract,
        compiled: Any,
        requested: str | None,
        shortfall: Shortfall | None,
        cache: str,
    ) -> None:
        devices = ",".join(executing(compiled))
        facts: Facts = {"engine": version_of("openvino")}
        facts |= {name: obtained(compiled, key) for name, key in _RECORDED.items()}
        facts |= {"devices": devices, "accelerator_asked": requested, "accelerator": devices}
        facts["model_cache"] = cache
        super().__init__(model, contract, facts, [shortfall] if shortfall else [])
        self._request = compiled.create_infer_request()
        # The request's own memory, since a new tensor for each image takes twice as long.
        self._image = self._request.get_input_tensor().data
        self._output_memory = self._request.get_output_tensor().data

    def _infer(self, image: Image) -> Output:
        np.copyto(self._image, image)
        self._request.infer()
        return np.array(self._output_memory, dtype=np.float32)

    def _release(self) -> None:
        self._request = self._image = self._output_memory = None


def _import_openvino() -> Any:
    silence()
    try:
        import openvino
    except ImportError as error:
        raise MissingDependencyError("openvino", "openvino", "run an OpenVINO file") from error
    return openvino


def _read(core: Any, model: ModelFiles) -> Any:
    """The network; a file on disk is mapped."""
    weights = PurePath(model.name).with_suffix(".bin").name
    require_file(model)
    require_file(model, weights)
    try:
        if model.path is not None:
            return core.read_model(str(model.path))
        return core.read_model(model.read(), model.read(weights))
    except _ERRORS as error:
        raise damaged_model(model, "OpenVINO", error) from error


def _on_cpu(cache: Cache, model: ModelFiles, network: Any, settings: dict[str, str | int]) -> Any:
    try:
        return cache.compile(network, _CPU, settings)
    except _ERRORS as error:
        raise damaged_model(model, "OpenVINO", error) from error


def _described(ports: list[Any]) -> tuple[tuple[int, ...], str]:
    """Shape and numpy dtype of the only port; a dynamic side counts as -1."""
    if len(ports) != 1:
        return (), f"{len(ports)} tensors"
    sides = ports[0].get_partial_shape()
    shape = tuple(side.get_length() if side.is_static else -1 for side in sides)
    element = ports[0].get_element_type()
    try:
        return shape, np.dtype(element.to_dtype()).name
    except IndexError:  # a type that NumPy lacks, such as `dynamic`
        return shape, str(element.get_type_name())
