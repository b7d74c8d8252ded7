"""From a photo to a decision: a small network in float and in int8, by every installed engine."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edgekd.bundle import SELFTEST
from edgekd.conformance.archives import document, packed
from edgekd.conformance.captures import capture_rule
from edgekd.conformance.files import Folder
from edgekd.conformance.format import PredictionCase
from edgekd.conformance.painting import encode, skin, with_segment
from edgekd.conformance.painting import exif as orientation
from edgekd.extensions.backends import BackendDescriptor, loadable_backends
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.runtime import Classifier, Prediction

__all__ = ["HEAD", "MODELS", "SIZE", "case_of", "prediction_cases", "runnable", "usable_backends"]

MODELS = Path(__file__).resolve().parent / "models"
SIZE = 32
_OF_A_HEAD = 4
"""Number of photos that a head answers: what leads to its features is shown by the others."""
CLASSES = ("bkl", "mel", "nv")
FLOAT_TOLERANCE = 1e-4
"""Largest difference of a float network's outputs between two builds of an engine."""

HEAD = {
    "weights": [[2.0, -1.0, 0.5], [-1.5, 1.0, 0.25], [0.125, 0.75, -2.0]],
    "bias": [0.25, -0.5, 0.0],
}
"""A head that takes the outputs of the models for features."""

_DECISION = {
    "temperature": 0.25,
    "thresholds": {"mel": 0.2},
    "refer_below": 0.6,
    "energy_threshold": 4.0,
    "conformal_quantile": 0.85,
}


def prediction_cases(folder: Folder) -> Iterator[PredictionCase]:
    """Every photo by every model file whose engine is installed."""
    photos = {name: folder.add(f"predicted/{name}", raw) for name, raw in _photos().items()}
    for backend in usable_backends():
        for model in sorted(MODELS.glob(f"*/{backend.model_file}")):
            precision = model.parent.name
            content = packed(*runnable(backend, model))
            yield from _enrolled_cases(folder, photos, backend, model)
            name = f"{precision}-{backend.name}"
            bundle = folder.add(f"predicted/{name}.edgekd", content)
            tolerance = FLOAT_TOLERANCE if precision.startswith("fp") else 0.0
            with Classifier.open(content, threads=1) as classifier:
                for photo, place in photos.items():
                    raw = (folder.root / place).read_bytes()
                    yield case_of(f"{name}-{photo}", bundle, backend.name, place, tolerance,
                                  classifier.predict(raw))  # fmt: skip


def _enrolled_cases(
    folder: Folder, photos: Mapping[str, str], backend: BackendDescriptor, model: Path
) -> Iterator[PredictionCase]:
    """Photos by a bundle whose outputs a head gives; its sums may be added in any order."""
    content = packed(*runnable(backend, model, head=HEAD))
    name = f"{model.parent.name}-{backend.name}-enrolled"
    bundle = folder.add(f"predicted/{name}.edgekd", content)
    with Classifier.open(content, threads=1) as classifier:
        for photo, place in list(photos.items())[:_OF_A_HEAD]:
            prediction = classifier.predict((folder.root / place).read_bytes())
            yield case_of(
                f"{name}-{photo}", bundle, backend.name, place, FLOAT_TOLERANCE, prediction
            )  # fmt: skip


def usable_backends() -> Iterator[BackendDescriptor]:
    """Backends whose own file runs here, and is among the models."""
    for backend in loadable_backends():
        runs = backend.engine.installed and backend.completion == "complete" and not backend.host
        if runs and any(MODELS.glob(f"*/{backend.model_file}")):
            yield backend


def case_of(
    case: str, bundle: str, backend: str, photo: str, tolerance: float, prediction: Prediction
) -> PredictionCase:
    """A prediction of Python's as a case: its name, the files, and how much a logit may differ."""
    return PredictionCase(
        id=case,
        bundle=bundle,
        backend=backend,
        photo=photo,
        logits=prediction.logits,
        logits_tolerance=tolerance,
        label=prediction.label,
        probabilities=dict(prediction.probabilities),
        decision=prediction.decision,
        reasons=tuple(reason.code for reason in prediction.reasons),
        conformal_set=prediction.conformal_set,
    )


def _photos() -> dict[str, bytes]:
    photos = {}
    for seed in range(8):
        plain = skin(300 + 20 * seed, 260, seed).astype(np.int16)
        image = (plain + (seed - 3) * np.array([9, -7, 5])).clip(0, 255).astype(np.uint8)
        photos[f"photo-{seed}.jpg"] = encode(image, ".jpg")
    photos["turned.jpg"] = with_segment(photos["photo-1.jpg"], 0xE1, orientation(6))
    photos["dark.png"] = encode((skin(80, 80, 3) // 10).astype(np.uint8), ".png")
    rng = np.random.default_rng(9)
    photos["noise.webp"] = encode(rng.integers(0, 256, (90, 70, 3)).astype(np.uint8), ".webp")
    return photos


def runnable(
    backend: BackendDescriptor, model: Path, **changes: Any
) -> tuple[Any, dict[str, bytes]]:
    """Manifest and files of a bundle that runs: a model, with its self-test vectors.

    Args:
        backend: The model's backend.
        model: The model.
        changes: Fields of the manifest to replace.
    """
    precision = model.parent.name
    files = {backend.model_file: model.read_bytes()}
    files[SELFTEST] = _vectors(backend, files, precision, changes)
    return _manifest(backend, files, precision) | changes, files


def _manifest(backend: BackendDescriptor, files: dict[str, bytes], precision: str) -> Any:
    lowering = {"target": "android", "backend": backend.name, "precision": precision}
    return document(
        files,
        task=DEFAULT_TASK,
        decision=_DECISION,
        lowering=lowering,
        model_file=backend.model_file,
        capture=msgspec.to_builtins(capture_rule()),
    )


def _vectors(
    backend: BackendDescriptor, files: dict[str, bytes], precision: str, changes: Mapping[str, Any]
) -> bytes:
    images = np.stack([skin(SIZE, SIZE, seed) for seed in range(16)])
    manifest = _manifest(backend, files, precision) | changes
    with Classifier.open(packed(manifest, files), threads=1) as model:
        logits = np.stack([model.logits(image) for image in images])
    stream = io.BytesIO()
    np.savez(stream, images=images, logits=logits, tolerance=np.float64(1e-3))
    return stream.getvalue()
