"""ONNX files on ONNX Runtime, on its CPU provider or on one that is requested."""

from __future__ import annotations

from typing import Any

from edgekd.bundle.model_files import ModelFiles
from edgekd.errors import MissingDependencyError
from edgekd.runtime.sessions._engine import (
    EngineSession,
    Shortfall,
    check_contract,
    damaged_model,
    last_line,
    require_file,
    version_of,
)
from edgekd.runtime.sessions.base import Facts, Image, Output
from edgekd.runtime.telemetry import silence

__all__ = ["FULL_RANGE", "OnnxSession", "open_file"]

FULL_RANGE = "edgekd.full_range"
"""Key of a file's metadata: its int8 weights take all eight bits.

Such a file was made for another engine, in whose place ONNX Runtime computes. Its integer kernels
add pairs of 8-bit products in 16 bits on x86 without VNNI, which saturates, silently; so its Q/DQ
pairs are computed as they stand, in float, which gives the same outputs on every CPU. With signed
activations the integer kernels are no faster (see `OnnxBackend`).
"""

_CPU = "CPUExecutionProvider"
_ERROR = 3  # ONNX Runtime's severities: 0 verbose, 1 info, 2 warning, 3 error, 4 fatal
_DTYPES = {"tensor(uint8)": "uint8", "tensor(float)": "float32"}
_PROVIDERS = {
    "cpu": ("CPU",),
    "gpu": ("CUDA", "ROCM", "MIGraphX", "Dml", "CoreML", "WebGpu"),
    "npu": ("QNN", "VitisAI", "CANN", "VSINPU", "Rknpu", "CoreML"),
}
"""Providers by kind of accelerator; the first one that is installed is used."""


def open_file(
    model: ModelFiles,
    *,
    threads: int | None = None,
    accelerator: str | None = None,
    require: bool = False,
) -> OnnxSession:
    """Open a `.onnx` file. Arguments and errors: see `open_session`."""
    ort = _import_onnxruntime()
    require_file(model)
    provider = _provider(ort.get_available_providers(), accelerator or "cpu")
    session, failure = None, ""
    if provider not in (_CPU, None):
        session, failure = _on_accelerator(ort, model, threads, provider)
    if session is None:
        session = _on_cpu(ort, model, threads)
    try:
        opened = OnnxSession(model, session, accelerator, provider, failure)
    except UnicodeDecodeError as error:  # the name of an input or output is damaged
        raise damaged_model(model, "ONNX Runtime", error) from error
    if require:
        opened.require_all()
    return opened


class OnnxSession(EngineSession):
    """An ONNX file on one provider, with the CPU for the nodes it leaves out; see `open_file`."""

    backend = "onnx"

    def __init__(
        self,
        model: ModelFiles,
        session: Any,
        requested: str | None,
        provider: str | None,
        failure: str,
    ) -> None:
        taken, given = _described(session.get_inputs()), _described(session.get_outputs())
        contract = check_contract(model, taken, given)
        nodes = _nodes(session, provider)
        idle = provider not in session.get_providers() or (nodes is not None and nodes[0] == 0)
        facts: Facts = {
            "engine": version_of("onnxruntime", "onnxruntime-gpu"),
            "threads": session.get_session_options().intra_op_num_threads or None,
            "providers": ",".join(session.get_providers()),
            "accelerator_asked": requested,
            "accelerator": _CPU if idle else provider,
        }
        shortfall = _shortfall(requested, provider, failure, session.get_providers(), nodes)
        super().__init__(model, contract, facts, [shortfall] if shortfall else [])
        self._session = session
        self._input = session.get_inputs()[0].name

    def _infer(self, image: Image) -> Output:
        output: Output = self._session.run(None, {self._input: image})[0]
        return output

    def _release(self) -> None:
        self._session = None


def _import_onnxruntime() -> Any:
    silence()
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError("onnxruntime", "onnx", "run an ONNX file") from error
    return onnxruntime


def _provider(available: list[str], word: str) -> str | None:
    """Full name of the provider that `word` names, or None where it is not installed."""
    stems = _PROVIDERS.get(word.lower())
    names = [f"{stem}ExecutionProvider" for stem in stems] if stems else [word]
    return next((name for name in names if name in available), None)


def _options(ort: Any, threads: int | None, *, integers: bool = True) -> Any:
    options = ort.SessionOptions()
    if not integers:
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    options.log_severity_level = _ERROR
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = threads or 0  # 0: one per core
    return options


def _on_cpu(ort: Any, model: ModelFiles, threads: int | None, *, integers: bool = True) -> Any:
    options = _options(ort, threads, integers=integers)
    try:
        # ONNX Runtime's own fallback prints to stdout, where `--json` writes.
        session = ort.InferenceSession(_source(model), options, providers=[_CPU], enable_fallback=0)
        if integers and FULL_RANGE in session.get_modelmeta().custom_metadata_map:
            return _on_cpu(ort, model, threads, integers=False)
        return session
    except Exception as error:  # its errors have no common base class
        raise damaged_model(model, "ONNX Runtime", error) from error


def _on_accelerator(
    ort: Any, model: ModelFiles, threads: int | None, provider: str
) -> tuple[Any, str]:
    """A session and "", or None and the provider's error message."""
    options = _options(ort, threads)
    # get_providers() also lists a provider that took no node; the recorded graph does not.
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    providers = [provider, _CPU]
    try:  # without its own fallback, as in `_on_cpu`
        session = ort.InferenceSession(
            _source(model), options, providers=providers, enable_fallback=0
        )
    except Exception as error:
        return None, last_line(error)
    return session, ""


def _source(model: ModelFiles) -> str | bytes:
    return model.read() if model.path is None else str(model.path)


def _nodes(session: Any, provider: str | None) -> tuple[int, int] | None:
    """Number of nodes that the provider took, and of all nodes; None where that is unknown."""
    if provider in (_CPU, None):
        return None
    try:
        parts = session.get_provider_graph_assignment_info()
    except Exception:  # not supported by this ONNX Runtime, or not recorded
        return None
    counts = [(part.ep_name, len(part.get_nodes())) for part in parts]
    return sum(n for name, n in counts if name == provider), sum(n for _, n in counts)


def _shortfall(
    requested: str | None,
    provider: str | None,
    failure: str,
    obtained: list[str],
    nodes: tuple[int, int] | None,
) -> Shortfall | None:
    """The shortfall where the requested provider was not fully obtained, or None."""
    import onnxruntime

    offered = ", ".join(onnxruntime.get_available_providers())
    hint = f"request one of {offered}, or install ONNX Runtime's build for the accelerator"
    if provider is None:
        problem = f"{requested} was requested, but ONNX Runtime offers only {offered}"
    elif failure:
        problem = f"{provider} was requested, but cannot take the file: {failure}"
    elif provider not in obtained:
        problem = f"{provider} was requested, but ONNX Runtime could not start it"
        hint = "check the driver and the libraries that the provider needs"
    elif nodes is not None and nodes[0] < nodes[1]:
        problem = f"{provider} took {nodes[0]} of the graph's {nodes[1]} nodes"
        return Shortfall(problem, "the rest runs on the CPU", hint)
    else:
        return None
    return Shortfall(problem, "the file runs on the CPU", hint)


def _described(ports: list[Any]) -> tuple[tuple[int, ...], str]:
    """Shape and numpy dtype of the only port; a dynamic side counts as -1."""
    if len(ports) != 1:
        return (), f"{len(ports)} tensors"
    shape = tuple(side if isinstance(side, int) else -1 for side in ports[0].shape)
    return shape, _DTYPES.get(ports[0].type, str(ports[0].type))
