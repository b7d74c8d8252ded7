"""Making a shipped student of a finished run: its weights, certified files, ranges and card.

The bundles are built as always, from the run's own images: gate, floors and decision are those of
`edgekd build`. What ships are their manifests, as certificates of the very model files.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd.bundle import Manifest
from edgekd.errors import GateFailedError, InputError
from edgekd.files import pretty_json, whole_folder, write_atomically
from edgekd.lower.backends import get_backend
from edgekd.lower.backends.base import reads_calibration
from edgekd.lower.build import build
from edgekd.lower.built import BuiltBundle
from edgekd.lower.int8.calibration import draw_calibration
from edgekd.lower.jobs.conversion import RANGES, ConversionJob, convert
from edgekd.lower.jobs.trial import TrialJob, try_files
from edgekd.lower.plan import BuildRequest
from edgekd.lower.precision import Variant
from edgekd.lower.progress import BuildObserver, LineReporter
from edgekd.lower.shipped.checks import refuse_places, verify_rebuilt
from edgekd.lower.shipped.painted import painted_images
from edgekd.lower.shipped.storage import store_student
from edgekd.lower.shipped.student import (
    CERTIFICATES,
    PAINTED,
    RANGES_FOLDER,
    STUDENT_CARD,
    ranges_name,
    variant_of,
)
from edgekd.lower.shipped.student_card import student_card
from edgekd.lower.source import Source, find_student, kept_outputs, load_source
from edgekd.lower.teacher import find_teacher
from edgekd.metrics.task import metrics_task
from edgekd.models import ModelCard, read_card
from edgekd.models.card import CARD, METRICS, SPLIT, WEIGHTS, read_metrics
from edgekd.policy import Policy, load_policy
from edgekd.seals import seal_files, unseal_files
from edgekd.targets import Target

__all__ = ["Shipment", "pack_student"]

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_CHECKPOINT = (CARD, WEIGHTS, SPLIT, METRICS)
_EVALUATED = ("validation", "test")


@dataclass(frozen=True)
class Shipment:
    """What to ship.

    Attributes:
        run: The finished run, or its student's checkpoint.
        name: Name of the shipped student.
        out: Folder of shipped students.
        work: Folder for the student as it ships, and its certified bundles.
        targets: Kinds of devices whose files are certified.
        policy: A policy, its name or file; None takes the checkpoint's.
        precisions: Precisions that are certified beside those that the ladders take.
        data_root: Where the images of the run are now, if not where they were.
        calibration_images: Number of calibration images.
        observer: The progress observer of the builds.
        say: Takes one line for each step.
    """

    run: Path
    name: str
    out: Path
    work: Path
    targets: Sequence[Target]
    policy: str | Path | None = None
    precisions: tuple[str, ...] = ()
    data_root: Path | None = None
    calibration_images: int = 512
    observer: BuildObserver = field(default_factory=LineReporter)
    say: Callable[[str], None] = lambda line: None


def pack_student(shipment: Shipment) -> Path:
    """Ship a student: write its folder, whole or not at all.

    Every certified file is built again from the folder alone before it is put in its place.

    Returns:
        The folder.

    Raises:
        InputError: The name is none; or the run or its images are missing.
        GateFailedError: A file does not pass its gate or a floor of the policy, the weights are
            too large, or a file cannot be built again bit for bit.
        ArtefactError: The run is damaged, or the folder would name places on this machine.
    """
    if not _NAME.fullmatch(shipment.name):
        message = f"{shipment.name!r} is no name of a student"
        raise InputError(message, "lower-case letters, digits and single hyphens, as in ham10000-a")
    original = load_source(find_student(shipment.run), shipment.data_root)
    student = _stored(shipment, original)
    bundles = _certified_bundles(shipment, original, student)
    place = shipment.out / shipment.name
    beside = shipment.work / "package" / shipment.name
    with whole_folder(beside) as folder:
        _fill(shipment, folder, student, bundles)
    root = Path(original.card.data.root).absolute()
    refuse_places(beside, [Path.home(), Path.cwd(), shipment.work.absolute(), root])
    shipment.say("building every file again, without images")
    number = verify_rebuilt(beside)
    with whole_folder(place) as folder:
        shutil.copytree(beside, folder, dirs_exist_ok=True)
    shipment.say(f"shipped {place}: {number} certified bundles")
    return place


# ---- the student ----


def _stored(shipment: Shipment, original: Source) -> Source:
    """The student as it ships, with the images of the run; measured again where it was rounded."""
    folder = shipment.work / "student"
    unseal_files(folder)
    card = store_student(original.folder, folder)
    policy = _policy(shipment)
    if policy is not None:
        card = msgspec.structs.replace(card, policy=policy.values())
        write_atomically(folder / CARD, pretty_json(card))
    shutil.copyfile(original.folder / SPLIT, folder / SPLIT)
    metrics = read_metrics(original.folder)
    if card.weights_sha256 != original.card.weights_sha256:
        shipment.say("the weights ship as float16; measuring the student that they compute")
        metrics |= {part: _measured(folder, card, original, part) for part in _EVALUATED}
    write_atomically(folder / METRICS, pretty_json(metrics))
    seal_files(folder, _CHECKPOINT)
    return load_source(folder, Path(original.split.dataset.root))


def _policy(shipment: Shipment) -> Policy | None:
    return None if shipment.policy is None else load_policy(shipment.policy)


def _measured(folder: Path, card: ModelCard, original: Source, part: str) -> Any:
    """Metrics of the student on a part of its images; None where it is empty."""
    split, chosen = original.split, original.split.indices(part)
    if not chosen:
        return None
    images = np.asarray(original.pixels[chosen])
    return metrics_task(card.task).evaluate(
        kept_outputs(folder, card, images),
        split.dataset.targets()[chosen],
        card.classes,
        ordered=card.ordered,
        groups=[split.dataset.samples[index].group for index in chosen],
    )


# ---- the certified files ----


def _certified_bundles(
    shipment: Shipment, original: Source, student: Source
) -> dict[str, BuiltBundle]:
    """The bundles by name, each passed by gate, floors and decision."""
    request = BuildRequest(
        model=student.folder,
        targets=shipment.targets,
        out=shipment.work / "bundles",
        teacher=find_teacher(original).folder,
        data_root=Path(original.split.dataset.root),
        calibration_images=shipment.calibration_images,
        observer=shipment.observer,
    )
    built = build(request)
    for precision in shipment.precisions:
        built += build(_of_precision(request, precision))
    for bundle in built:
        _refuse_fine_tuned(bundle)
    return {bundle.name: bundle for bundle in built}


def _of_precision(request: BuildRequest, precision: str) -> BuildRequest:
    """The request for one precision, of the targets that have it."""
    targets = [
        target for target in request.targets if precision in get_backend(target.backend).precisions
    ]
    return replace(request, targets=targets, precisions=(precision,))


def _refuse_fine_tuned(bundle: BuiltBundle) -> None:
    if bundle.manifest is not None and bundle.manifest.lowering.quantisation_aware:
        message = f"{bundle.name} has other weights than the student: it was fine-tuned for int8"
        raise GateFailedError(message, "train with `finish: {quantisation: int8}` and ship that")


# ---- the folder ----


def _fill(
    shipment: Shipment, folder: Path, student: Source, bundles: Mapping[str, BuiltBundle]
) -> None:
    for name in _CHECKPOINT:
        shutil.copyfile(student.folder / name, folder / name)
    certificates = {name: _certificate(bundle) for name, bundle in bundles.items()}
    (folder / CERTIFICATES).mkdir()
    for name, manifest in certificates.items():
        write_atomically(folder / CERTIFICATES / f"{name}.json", pretty_json(manifest))
    _write_ranges(shipment, folder / RANGES_FOLDER, student, certificates)
    _write_painted(shipment, folder / PAINTED, student.card, bundles, certificates)
    text = student_card(shipment.name, folder, read_card(folder), certificates)
    write_atomically(folder / STUDENT_CARD, text)
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    seal_files(folder, [file.relative_to(folder).as_posix() for file in files])


def _certificate(bundle: BuiltBundle) -> Manifest:
    """The manifest of a bundle, of its model files alone and without its evidence of images."""
    manifest = bundle.manifest
    assert manifest is not None
    beside = {"card.md", "selftest.npz"}
    files = {name: entry for name, entry in manifest.files.items() if name not in beside}
    lowering = msgspec.structs.replace(manifest.lowering, evidence_sha256=None)
    return msgspec.structs.replace(manifest, files=files, lowering=lowering)


def _write_ranges(
    shipment: Shipment, folder: Path, student: Source, certificates: Mapping[str, Manifest]
) -> None:
    """Lower every certified file once more, and keep the ranges that it is made by."""
    calibrated = list(_calibrated(certificates))
    if not calibrated:
        return
    folder.mkdir()
    calibration = draw_calibration(
        student.split, student.pixels, images=shipment.calibration_images
    )
    images = shipment.work / "calibration.npy"
    np.save(images, calibration.images)
    for backend, variants in calibrated:
        shipment.say(f"recording the ranges of {backend}")
        out = shipment.work / "ranges" / backend
        shutil.rmtree(out, ignore_errors=True)
        job = ConversionJob(
            backend=backend,
            variants=variants,
            checkpoint=str(student.folder),
            calibration=str(images),
            record=True,
            out=str(out),
        )
        convert(job, log=shipment.work / "logs" / f"{backend}.log")
        for variant in variants:
            recorded = out / f"{variant.label}{RANGES}"
            shutil.copyfile(recorded, folder / ranges_name(backend, variant))
    images.unlink()


def _calibrated(
    certificates: Mapping[str, Manifest],
) -> Iterator[tuple[str, tuple[Variant, ...]]]:
    """The variants of each backend that depend on calibration images."""
    by_backend: dict[str, dict[Variant, None]] = {}
    for manifest in certificates.values():
        backend, variant = manifest.lowering.backend, variant_of(manifest)
        if reads_calibration(get_backend(backend), variant):
            by_backend.setdefault(backend, {})[variant] = None
    for backend, variants in by_backend.items():
        yield backend, tuple(variants)


def _write_painted(
    shipment: Shipment,
    file: Path,
    card: ModelCard,
    bundles: Mapping[str, BuiltBundle],
    certificates: Mapping[str, Manifest],
) -> None:
    """Write the painted images, and what every certified file answers for them."""
    images = painted_images(card.image_size)
    pixels = shipment.work / "painted.npy"
    np.save(pixels, images)
    outputs: dict[str, NDArray[np.float32]] = {}
    for name, manifest in certificates.items():
        backend, path = get_backend(manifest.lowering.backend), bundles[name].path
        assert path is not None
        job = TrialJob(
            session=backend.host_session,
            files={name: str(path / manifest.model_file)},
            images=str(pixels),
            out=str(shipment.work / "painted"),
        )
        log = shipment.work / "logs" / f"painted-{name}.log"
        outputs[name] = try_files(job, log=log)[name].outputs
    np.savez_compressed(file, images=images, **outputs)
