"""What each row is, its answers to every image, and what they are worth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd.bench.accuracy import metrics_of
from edgekd.bench.devices import Device
from edgekd.bench.measure.job import Answer, Job, Seen
from edgekd.bench.measure.subject import torch_models
from edgekd.bench.request import BenchData, check_classes
from edgekd.bench.result import Decisions, Estimate, Row
from edgekd.bundle import Bundle, Manifest
from edgekd.errors import EdgekdError, MissingDependencyError
from edgekd.extensions.backends import backend_named
from edgekd.metrics import Metrics, share_interval, softmax
from edgekd.metrics.resampling import Groups

__all__ = ["Entry", "RunInterruptedError", "bundle_entry", "checkpoint_entry", "unanswered"]

BATCH = 64
_CHUNK = 256
"""Images of one accuracy job: a lost link or an interruption costs no more than these."""

Logits = NDArray[np.float32]
Step = Callable[[int], None]
"""Told how many images are done."""


class RunInterruptedError(EdgekdError):
    """The user ended the run before this was measured."""

    exit_code = 130


@dataclass(frozen=True)
class Entry:
    """One row on its way.

    Attributes:
        row: With identity and metrics; speed and comparison come later.
        logits: Raw logits [N, K], or None where they could not be had.
        path: The bundle or the checkpoint folder.
        temperature: Divides the logits before the softmax.
        backend: Engine to use instead of the bundle's own, or None.
        missing: The error that says why there are no logits, or None.
        device: Name of the device that gave the answers; None for this host.
    """

    row: Row
    logits: Logits | None
    path: Path
    temperature: float = 1.0
    backend: str | None = None
    missing: EdgekdError | None = None
    device: str | None = None

    @property
    def probabilities(self) -> NDArray[np.float64] | None:
        """Calibrated probabilities [N, K]."""
        return None if self.logits is None else softmax(self.logits / self.temperature)


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
        metrics=_metrics(logits, data),
    )
    return Entry(row, logits, folder)


def bundle_entry(
    path: Path, data: BenchData, *, on: Device, at_home: bool, threads: int, step: Step
) -> Entry:
    """A bundle by the engine that really reads its file.

    Args:
        path: The bundle.
        data: The images.
        on: The device that runs it.
        at_home: Whether that is a device which the bundle is for. Elsewhere a file that only its
            device can finish is run by ONNX Runtime, for its answers.
        threads: Threads of the engine.
        step: Told how many images are done.

    Raises:
        InputError: There is no bundle, or its classes are not the data's.
        ArtefactError: It is damaged.
        DeviceUnreachableError: The device does not answer any more.
    """
    with Bundle.open(path) as bundle:
        manifest, size = bundle.manifest, bundle.size_bytes
    check_classes(f"the bundle {path}", manifest.model.classes, data)
    unfinished = manifest.lowering.completion == "finish-on-device" and not at_home
    backend = backend_named(manifest.lowering.backend).host_session if unfinished else None
    row, temperature = _bundle_row(manifest, size), manifest.decision.temperature
    try:
        answers = [
            _ask(on, path, backend, threads, chunk, step) for chunk in _chunks(data.paths, _CHUNK)
        ]
    except MissingDependencyError as error:
        return Entry(row, None, path, temperature, backend, error)
    seen = [each for answer in answers for each in answer.seen]
    logits = np.array([each.logits for each in seen], np.float32)
    metrics = _metrics(logits / temperature, data)
    row = msgspec.structs.replace(
        row,
        metrics=metrics,
        runtime=dict(answers[0].facts),
        decisions=_decisions(seen, data.groups),
    )
    device = None if on.kind == "local" and not at_home else on.name
    return Entry(row, logits, path, temperature, backend, device=device)


def unanswered(path: Path, why: EdgekdError) -> Entry:
    """The row of a bundle that was not run."""
    with Bundle.open(path, verify=False) as bundle:
        manifest, size = bundle.manifest, bundle.size_bytes
    return Entry(_bundle_row(manifest, size), None, path, missing=why)


def _ask(
    on: Device, path: Path, backend: str | None, threads: int, images: Sequence[Path], step: Step
) -> Answer:
    job = Job(
        kind="accuracy",
        images=[str(image.resolve()) for image in images],
        threads=threads,
        bundle=str(path),
        backend=backend,
    )
    answer = on.run(job)
    step(len(images))
    return answer


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


def _metrics(logits: NDArray[np.floating[Any]], data: BenchData) -> Metrics:
    return metrics_of(logits, data.labels, data.classes, ordered=data.ordered, groups=data.groups)


def _decisions(seen: Sequence[Seen], groups: Groups) -> Decisions:
    def share(verdict: str) -> Estimate:
        found = share_interval([each.decision == verdict for each in seen], groups)
        return Estimate(**found._asdict())

    return Decisions(answered=share("answer"), referred=share("refer"), retaken=share("retake"))


def _chunks(paths: Sequence[Path], size: int) -> Iterator[Sequence[Path]]:
    for start in range(0, len(paths), size):
        yield paths[start : start + size]


def _batches(paths: Sequence[Path], size: int) -> Iterator[NDArray[np.uint8]]:
    from edgekd.runtime.preprocess import load_image

    for chunk in _chunks(paths, BATCH):
        yield np.stack([load_image(path, size) for path in chunk])


def _torch_facts() -> dict[str, Any]:
    import torch

    return {"engine": f"pytorch {torch.__version__}", "threads": torch.get_num_threads()}
