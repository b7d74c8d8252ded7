"""Finishing a bundle on its device: the engine is built there and tested before it counts."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from edgekd.bundle import MANIFEST, SELFTEST, Bundle, Manifest, write_bundle
from edgekd.errors import GateFailedError, InputError
from edgekd.lower.engine.builder import build_engine
from edgekd.runtime.selftest import Vectors, run_selftest
from edgekd.runtime.sessions import open_session

__all__ = ["finish_on_device"]

ENGINE = "model.engine"


def finish_on_device(path: Path, say: Callable[[str], None] = lambda line: None) -> Path:
    """Build the engine of a `finish-on-device` bundle and put it into the bundle.

    The self-test vectors are run on the engine itself; only then the bundle is called complete.

    Raises:
        InputError: The bundle is complete already, or is a file rather than a folder.
        MissingDependencyError: TensorRT is not installed here.
        GateFailedError: The engine's answers differ from those that the host saw.
        ArtefactError: The bundle is damaged, or TensorRT cannot parse it.
    """
    if path.is_file():
        raise InputError(f"{path} is a packed bundle", "unzip it into a folder first")
    with Bundle.open(path) as bundle:
        manifest = bundle.manifest
        if manifest.lowering.completion != "finish-on-device":
            raise InputError(f"the bundle {path} is complete already", "use it as it is")
        with tempfile.TemporaryDirectory(prefix="edgekd-") as work:
            engine = Path(work) / ENGINE
            say(f"building the engine of {path}; this takes minutes on a small device")
            report = build_engine(path / manifest.model_file, engine)
            with bundle.stream(SELFTEST) as stream:
                vectors = Vectors.read(stream)
            _test_engine(engine, vectors)
            files: dict[str, Path | bytes] = {name: path / name for name in manifest.files}
            tools = manifest.lowering.tools | report.versions
            write_bundle(path, _completed(manifest, tools), files | {ENGINE: engine})
        if bundle.signature != "none":
            say("the signature went with the old manifest; sign the bundle again")
    return path / MANIFEST


def _test_engine(engine: Path, vectors: Vectors) -> None:
    session = open_session("tensorrt", engine)
    try:
        report = run_selftest(session, vectors)
    finally:
        session.close()
    if not report.passed:
        message = (
            f"the engine's logits differ from the host's by {report.max_difference:.3g}, more "
            f"than {report.tolerance:.3g}"
        )
        raise GateFailedError(message, "build a bundle of a safer --precision on the host")


def _completed(manifest: Manifest, tools: dict[str, str]) -> Manifest:
    lowering = msgspec.structs.replace(
        manifest.lowering, completion="complete", completion_command=None, tools=tools
    )
    return msgspec.structs.replace(manifest, lowering=lowering, model_file=ENGINE)
