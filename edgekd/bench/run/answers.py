"""The answers of a teacher, student or bundle to every image, and their metrics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd.bench.devices import Device
from edgekd.bench.measure.job import Answer, ImageAnswer, Job
from edgekd.bench.measure.subject import torch_models
from edgekd.bench.result import Decisions, Estimate, ResultRow
from edgekd.bench.run.progress import Step
from edgekd.bench.subjects.data import BenchData, check_subject
from edgekd.bench.subjects.policy import policy_of_bundle
from edgekd.bundle import Bundle, Manifest
from edgekd.errors import EdgekdError, MissingDependencyError
from edgekd.extensions.backends import backend_named
from edgekd.metrics import Metrics, share_interval
from edgekd.metrics.resampling import Groups
from edgekd.metrics.task import metrics_task
from edgekd.models.card import ModelCard
from edgekd.runtime.task import device_task

__all__ = [
    "Answered",
    "RowAnswers",
    "Unanswered",
    "bundle_answers",
    "checkpoint_answers",
    "host_backend",
    "unanswered_bundle",
]

BATCH = 64
_CHUNK = 256
"""Images of one accuracy job: a lost link or an interruption costs no more than these."""


@dataclass(frozen=True)
class Answered:
    """A row whose answers are known.

    Attributes:
        row: Identity and metrics; speed and comparisons are added later.
        path: The bundle or the checkpoint folder.
        outputs: Raw outputs of the network [N, …].
        calibrated: The outputs as metrics take them [N, …].
        backend: Engine used instead of the bundle's own, or None.
        device: Name of the device that computed the answers; None for this host.
        images: The bundle's answer to each image; empty for a checkpoint, which decides nothing.
        decision: The bundle's section `decision`; None for a checkpoint.
    """

    row: ResultRow
    path: Path
    outputs: NDArray[np.float32]
    calibrated: NDArray[Any]
    backend: str | None = None
    device: str | None = None
    images: Sequence[ImageAnswer] = ()
    decision: Any = None


@dataclass(frozen=True)
class Unanswered:
    """A row without answers.

    Attributes:
        row: Identity of the row, without numbers.
        path: The bundle.
        reason: Why there are no answers.
        backend: Engine to use instead of the bundle's own, or None.
    """

    row: ResultRow
    path: Path
    reason: EdgekdError
    backend: str | None = None


RowAnswers = Answered | Unanswered


def checkpoint_answers(
    folder: Path, role: Literal["teacher", "student"], data: BenchData, step: Step
) -> Answered:
    """Run a checkpoint on every image by PyTorch, in batches of 64.

    Raises:
        MissingDependencyError: PyTorch is not installed.
        InputError: There is no checkpoint, or its task or classes are not the data's.
        ArtefactError: It is damaged.
    """
    models = torch_models()
    checkpoint = models.load_checkpoint(folder)
    card = checkpoint.card
    classes = data.classes if _is_permuted(card, data) else card.classes
    check_subject(f"the {role} {folder}", card.task, classes, data)
    network = checkpoint.normalised(classes=classes)
    batches = []
    for images in _batches(data.paths, card.image_size):
        batches.append(models.logits_of(network, images, BATCH))
        step(len(images))
    outputs = np.concatenate(batches)
    row = ResultRow(
        name=f"{role} {card.arch}",
        role=role,
        backend="pytorch",
        precision="fp32",
        params=card.params or None,
        macs=card.macs or None,
        size_bytes=checkpoint.size_bytes,
        sha256=card.weights_sha256,
        runtime=_torch_facts(),
        metrics=_metrics(outputs, data),
    )
    return Answered(row, folder, outputs, outputs)


def _is_permuted(card: ModelCard, data: BenchData) -> bool:
    """Whether an imported network has the data's classes in another order."""
    return card.imported is not None and set(card.classes) == set(data.classes)


def bundle_answers(
    path: Path, data: BenchData, *, on: Device, is_target: bool, threads: int, step: Step
) -> RowAnswers:
    """Run a bundle on every image by the engine that reads its file.

    Args:
        path: The bundle.
        data: The images.
        on: The device that runs it.
        is_target: Whether the bundle is for that device. Elsewhere a file that only its device can
            finish is run by the engine of its intermediate format.
        threads: Threads of the engine.
        step: Progress in images.

    Raises:
        InputError: There is no bundle, or its task or classes are not the data's.
        ArtefactError: It is damaged.
        DeviceUnreachableError: The device does not answer any more.
    """
    with Bundle.open(path) as bundle:
        manifest, size = bundle.manifest, bundle.size_bytes
    check_subject(f"the bundle {path}", manifest.task, manifest.model.classes, data)
    row, backend = _bundle_row(manifest, size), host_backend(manifest, is_target=is_target)
    try:
        answers = [
            _accuracy_job(on, path, backend, threads, chunk, step)
            for chunk in _chunks(data.paths, _CHUNK)
        ]
    except MissingDependencyError as error:
        return Unanswered(row, path, error, backend)
    images = [each for answer in answers for each in answer.image_answers]
    outputs, calibrated = _outputs(images, manifest)
    row = msgspec.structs.replace(
        row,
        metrics=_metrics(calibrated, data),
        runtime=dict(answers[0].facts),
        decisions=_decisions(images, data.groups),
    )
    device = None if on.kind == "local" and not is_target else on.name
    return Answered(row, path, outputs, calibrated, backend, device, images, manifest.decision)


def unanswered_bundle(path: Path, reason: EdgekdError) -> Unanswered:
    """The row of a bundle that was not run."""
    with Bundle.open(path, verify=False) as bundle:
        return Unanswered(_bundle_row(bundle.manifest, bundle.size_bytes), path, reason)


def host_backend(manifest: Manifest, *, is_target: bool = False) -> str | None:
    """The engine that runs a bundle's file where its own cannot; None takes the bundle's own.

    Args:
        manifest: The bundle's manifest.
        is_target: Whether the bundle is for the device that runs it.
    """
    unfinished = manifest.lowering.completion == "finish-on-device" and not is_target
    return backend_named(manifest.lowering.backend).host_session if unfinished else None


def _accuracy_job(
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


def _outputs(
    images: Sequence[ImageAnswer], manifest: Manifest
) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Raw and calibrated outputs [N, …] in the shape that the task gives them."""
    task = device_task(manifest.task)
    shape = task.output_shape(manifest.model.classes)[1:]
    outputs = np.array([each.outputs for each in images], np.float32).reshape(-1, *shape)
    return outputs, task.calibrated(outputs, manifest.decision)


def _bundle_row(manifest: Manifest, size_bytes: int) -> ResultRow:
    lowering, bundle_policy = manifest.lowering, policy_of_bundle(manifest)
    return ResultRow(
        name=f"{lowering.target} {lowering.precision}",
        role="artefact",
        target=lowering.target,
        backend=lowering.backend,
        precision=lowering.precision,
        params=manifest.model.params,
        macs=manifest.model.macs,
        size_bytes=size_bytes,
        sha256=manifest.files[manifest.model_file].sha256,
        policy=bundle_policy.facts,
        research=bundle_policy.research,
        below_floors=list(bundle_policy.below_floors),
    )


def _metrics(calibrated: NDArray[Any], data: BenchData) -> Metrics:
    return metrics_task(data.task).evaluate(
        calibrated, data.targets, data.classes, ordered=data.ordered, groups=data.groups
    )


def _decisions(images: Sequence[ImageAnswer], groups: Groups) -> Decisions:
    def share(decision: str) -> Estimate:
        interval = share_interval([each.decision == decision for each in images], groups)
        return Estimate(**interval._asdict())

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
