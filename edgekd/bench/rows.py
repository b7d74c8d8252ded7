"""The pass on this machine: what each row is, its logits on every image, and their worth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd.bench.accuracy import metrics_of
from edgekd.bench.measure.subject import torch_models
from edgekd.bench.request import BenchData, check_classes
from edgekd.bench.result import Row
from edgekd.bundle import Bundle, Manifest
from edgekd.errors import MissingDependencyError

__all__ = ["Entry", "bundle_entry", "checkpoint_entry"]

BATCH = 64

Logits = NDArray[np.float32]
Step = Callable[[int], None]
"""Told how many images are done."""


@dataclass(frozen=True)
class Entry:
    """One row on its way.

    Attributes:
        row: With identity and metrics; speed and comparison come later.
        logits: Raw logits [N, K], or None where this machine has no engine for it.
        path: The bundle or the checkpoint folder.
        backend: Engine to use instead of the bundle's own, or None.
        missing: The error that says which engine is missing, or None.
    """

    row: Row
    logits: Logits | None
    path: Path
    backend: str | None = None
    missing: MissingDependencyError | None = None


def checkpoint_entry(
    folder: Path, role: Literal["teacher", "student"], data: BenchData, step: Step
) -> Entry:
    """Teacher or float student, by PyTorch in batches of 64.

    Raises:
        MissingDependencyError: PyTorch is not installed.
        InputError: There is no checkpoint, or its classes are not the data's.
        ArtefactError: It is damaged.
    """
    models = torch_models()
    checkpoint = models.load_checkpoint(folder)
    card = checkpoint.card
    check_classes(f"the {role} {folder}", card.classes, data)
    network = checkpoint.normalised()
    batches = []
    for images in _batches(data.paths, card.image_size):
        batches.append(models.logits_of(network, images, BATCH))
        step(len(images))
    logits = np.concatenate(batches)
    row = Row(
        name=f"{role} {card.arch}",
        role=role,
        backend="pytorch",
        precision="fp32",
        params=card.params,
        macs=card.macs,
        size_bytes=checkpoint.size_bytes,
        sha256=card.weights_sha256,
        runtime=_torch_facts(),
        metrics=metrics_of(logits, data.labels, data.classes),
    )
    return Entry(row, logits, folder)


def bundle_entry(path: Path, data: BenchData, *, here: bool, threads: int, step: Step) -> Entry:
    """A bundle by the engine that really reads its file.

    Args:
        path: The bundle.
        data: The images.
        here: Whether this machine is the device that the bundle is for. Elsewhere a file that
            only its device can finish is run by ONNX Runtime, for its answers.
        threads: Threads of the engine.
        step: Told how many images are done.

    Raises:
        InputError: There is no bundle, or its classes are not the data's.
        ArtefactError: It is damaged.
    """
    from edgekd.runtime import Classifier

    with Bundle.open(path) as bundle:
        manifest, size = bundle.manifest, bundle.size_bytes
    check_classes(f"the bundle {path}", manifest.model.classes, data)
    unfinished = manifest.lowering.completion == "finish-on-device" and not here
    backend = "onnx" if unfinished else None
    row = _bundle_row(manifest, size)
    try:
        classifier = Classifier.open(path, threads=threads, backend=backend, verify=False)
    except MissingDependencyError as error:
        return Entry(row, None, path, backend, error)
    with classifier:
        logits = _run_all(classifier, data.paths, step)
        runtime = dict(classifier.facts)
    calibrated = logits / manifest.decision.temperature
    metrics = metrics_of(calibrated, data.labels, data.classes)
    row = msgspec.structs.replace(row, metrics=metrics, runtime=runtime)
    return Entry(row, logits, path, backend)


def _bundle_row(manifest: Manifest, size_bytes: int) -> Row:
    lowering = manifest.lowering
    return Row(
        name=f"{lowering.target} {lowering.precision}",
        role="artefact",
        target=lowering.target,
        backend=lowering.backend,
        precision=lowering.precision,
        params=manifest.model.params,
        macs=manifest.model.macs,
        size_bytes=size_bytes,
        sha256=manifest.files[manifest.model_file].sha256,
    )


def _run_all(classifier: Any, paths: Sequence[Path], step: Step) -> Logits:
    rows = []
    for path in paths:
        rows.append(classifier.logits(classifier.preprocess(path)))
        step(1)
    return np.stack(rows)


def _batches(paths: Sequence[Path], size: int) -> Iterator[NDArray[np.uint8]]:
    from edgekd.runtime.preprocess import load_image

    for start in range(0, len(paths), BATCH):
        yield np.stack([load_image(path, size) for path in paths[start : start + BATCH]])


def _torch_facts() -> dict[str, Any]:
    import torch

    return {"engine": f"pytorch {torch.__version__}", "threads": torch.get_num_threads()}
