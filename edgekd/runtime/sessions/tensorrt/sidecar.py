"""The sidecar of an engine: the machine it was built for, its source, and the builder's settings.

TensorRT itself can check whether an engine belongs to this machine only by deserialising it. For a
foreign engine that gives at best an error without a cause, so the sidecar is checked first.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

import edgekd
from edgekd.bundle.model_files import ModelFiles
from edgekd.errors import ArtefactError
from edgekd.files import pretty_json
from edgekd.runtime.sessions.tensorrt.environment import EngineEnvironment

__all__ = [
    "EngineSidecar",
    "belongs_to",
    "check_engine_matches_device",
    "read_sidecar",
    "rebuild_hint",
    "sidecar_name",
    "write_sidecar",
]


class EngineSidecar(msgspec.Struct, frozen=True, kw_only=True):
    """Facts about one engine.

    Attributes:
        environment: The machine that built it.
        engine_sha256: Hash of the engine.
        onnx_sha256: Hash of the ONNX file that it was built from.
        flags: Settings of the builder.
        via: What TensorRT was given its network by: its parser of ONNX, or `torch-tensorrt`.
        program_sha256: Hash of the program that torch-tensorrt built it from, which was made of the
            ONNX file and compared with it; empty where ONNX itself was parsed.
        versions: Versions of the builder and of what gave it the network.
        edgekd: Version of edgekd that built it.
    """

    environment: EngineEnvironment
    engine_sha256: str
    onnx_sha256: str
    flags: dict[str, int | bool]
    via: str = "onnx-parser"
    program_sha256: str = ""
    versions: dict[str, str] = {}
    edgekd: str = edgekd.__version__


def sidecar_name(engine: str) -> str:
    """Name of the sidecar of an engine."""
    return f"{engine}.json"


def write_sidecar(engine: Path, sidecar: EngineSidecar) -> Path:
    """Write the sidecar beside its engine."""
    file = engine.with_name(sidecar_name(engine.name))
    file.write_bytes(pretty_json(sidecar))
    return file


def read_sidecar(model: ModelFiles) -> EngineSidecar:
    """The sidecar of an engine.

    Raises:
        ArtefactError: It is missing or damaged; the engine must not be loaded then.
    """
    name = sidecar_name(model.name)
    try:
        return msgspec.json.decode(model.read(name), type=EngineSidecar)
    except ArtefactError as error:
        message = f"{name} is missing: nothing says for which machine {model.name} was built"
        raise ArtefactError(message, rebuild_hint(model)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ArtefactError(f"{name} is damaged: {error}", rebuild_hint(model)) from error


def check_engine_matches_device(
    model: ModelFiles, engine: bytes, machine: EngineEnvironment
) -> EngineSidecar:
    """The sidecar of an engine that belongs to this machine.

    Args:
        model: The engine with its sidecar.
        engine: Bytes of the engine, the same ones that will be deserialised.
        machine: This machine.

    Raises:
        ArtefactError: The sidecar is missing, damaged or of another engine, or the engine was
            built for another machine.
    """
    sidecar = read_sidecar(model)
    if hashlib.sha256(engine).hexdigest() != sidecar.engine_sha256:
        message = f"{model.name} is damaged, or not the engine that {sidecar_name(model.name)} says"
        raise ArtefactError(message, rebuild_hint(model))
    if not belongs_to(sidecar, machine):
        message = f"{model.name} was built for {sidecar.environment}; this is {machine}"
        raise ArtefactError(message, rebuild_hint(model))
    return sidecar


def belongs_to(sidecar: EngineSidecar, machine: EngineEnvironment) -> bool:
    """Whether an engine was built for a machine like this one.

    A value that is unknown on one side counts as a difference: building an engine again costs
    minutes, a wrong output costs more.
    """
    return sidecar.environment == machine


def rebuild_hint(model: ModelFiles) -> str:
    """What to do about an engine that must not be loaded, or cannot be."""
    bundle = model.folder or "BUNDLE"
    return f"build it here: edgekd build --on-device {bundle}"
