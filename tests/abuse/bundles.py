"""Small real bundles of each engine: as parts, as a folder, as the bytes of a zip."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from edgekd.bundle import (
    MANIFEST,
    SELFTEST,
    Appearance,
    CaptureRule,
    FileEntry,
    Limit,
    Lineage,
    Lowering,
    Manifest,
    ModelInfo,
)
from edgekd.bundle.manifest import encode_manifest
from edgekd.runtime.capture import FEATURES
from edgekd.tasks.classification.manifest import Decision

__all__ = [
    "BACKENDS", "CLASSES", "FILES", "MODELS", "SIZE", "Parts", "how_to_get",
    "installed", "manifest_of", "parts", "write_folder", "zip_of",
]  # fmt: skip

MODELS = Path(__file__).resolve().parent / "models"
SIZE = 64
CLASSES = ("bkl", "mel", "nv")
FILES = {
    "tflite": ("model.tflite",),
    "onnx": ("model.onnx",),
    "openvino": ("model.xml", "model.bin"),
}
BACKENDS = tuple(FILES)
_ENGINES = {
    "tflite": ("ai_edge_litert", "tflite_runtime"),
    "onnx": ("onnxruntime",),
    "openvino": ("openvino",),
}

Parts = dict[str, bytes]
"""Content of a bundle's files by name, `manifest.json` among them."""


def how_to_get(backend: str) -> str:
    """Why a test of an engine skips."""
    return f"the engine of {backend} is not installed: pip install 'edgekd[{backend}]'"


def installed(backend: str) -> bool:
    """Whether the engine is there."""
    return any(find_spec(package) is not None for package in _ENGINES[backend])


def _capture() -> CaptureRule:
    """Limits that some photos keep and others do not."""
    identity = tuple(tuple(float(i == j) for j in range(FEATURES)) for i in range(FEATURES))
    return CaptureRule(
        limits={"brightness": Limit(low=0.2, high=0.9), "sharpness": Limit(low=0.001)},
        appearance=Appearance(mean=(0.0,) * FEATURES, whitening=identity, limit=1e6),
        coverage=0.98,
        images=100,
    )


def manifest_of(backend: str, files: Mapping[str, bytes]) -> Manifest:
    """A manifest with every section filled in, so that every rule of the decision runs."""
    decision = Decision(
        temperature=1.5,
        thresholds={"nv": 0.14},
        refer_below=0.5,
        energy_threshold=50.0,
        conformal_quantile=0.8,
        fitted_on={"images": 100},
    )
    entries = {
        name: FileEntry(sha256=hashlib.sha256(content).hexdigest(), size=len(content))
        for name, content in files.items()
    }
    return Manifest(
        version="0.1.0",
        task="classification",
        model=ModelInfo(name="tiny", classes=CLASSES, image_size=SIZE),
        decision=decision,
        capture=_capture(),
        lowering=Lowering(target="cpu", backend=backend, precision="fp32"),
        metrics={"artefact": {"balanced_accuracy": 0.75}},
        lineage=Lineage(method="kd", seed=3),
        model_file=FILES[backend][0],
        files=entries,
    )


@cache
def _files(backend: str) -> Mapping[str, bytes]:
    return {name: (MODELS / name).read_bytes() for name in (*FILES[backend], SELFTEST)}


@cache
def _manifest(backend: str) -> bytes:
    return encode_manifest(manifest_of(backend, _files(backend)))


def parts(backend: str) -> Parts:
    """The whole bundle of an engine."""
    return {MANIFEST: _manifest(backend), **_files(backend)}


def zip_of(content: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """The parts as the bytes of a zip, in their order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in content.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            archive.writestr(info, data, compress_type=compression)
    return buffer.getvalue()


def write_folder(folder: Path, content: Mapping[str, bytes]) -> Path:
    """The parts as files of a folder that is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in content.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return folder
