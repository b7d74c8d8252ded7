"""The files of a shipped student: certificates, ranges, painted images, and its card."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edgekd.bundle import SELFTEST, Manifest
from edgekd.bundle.seen_images import SEEN_IMAGES
from edgekd.data.split import write_split
from edgekd.files import pretty_json, write_atomically
from edgekd.lower.backends import get_backend
from edgekd.lower.backends.base import reads_calibration
from edgekd.lower.built import BuiltBundle
from edgekd.lower.int8.calibration import draw_calibration
from edgekd.lower.jobs.conversion import RANGES, ConversionJob, convert
from edgekd.lower.jobs.trial import TrialJob, try_files
from edgekd.lower.precision import Variant
from edgekd.lower.shipped.painted import painted_images
from edgekd.lower.shipped.shipment import Shipment
from edgekd.lower.shipped.student import (
    CERTIFICATES,
    PAINTED,
    RANGES_FOLDER,
    STUDENT_CARD,
    ranges_name,
    variant_of,
)
from edgekd.lower.shipped.student_card import student_card
from edgekd.lower.source import Source
from edgekd.models import ModelCard, read_card
from edgekd.models.card import CARD, METRICS, SPLIT, WEIGHTS
from edgekd.seals import seal_files

__all__ = ["CHECKPOINT", "fill_folder"]

CHECKPOINT = (CARD, WEIGHTS, SPLIT, METRICS)
"""Files of the checkpoint itself."""


def fill_folder(
    shipment: Shipment, folder: Path, student: Source, bundles: Mapping[str, BuiltBundle]
) -> None:
    """Write everything that a shipped student carries, and seal it.

    Args:
        shipment: What to ship.
        folder: An empty folder.
        student: The student as it ships, with the images of its run.
        bundles: Its certified bundles by name.
    """
    for name in CHECKPOINT:
        shutil.copyfile(student.folder / name, folder / name)
    write_atomically(folder / SPLIT, write_split(student.split, attributes=False))
    certificates = {name: _certificate(bundle) for name, bundle in bundles.items()}
    (folder / CERTIFICATES).mkdir()
    for name, manifest in certificates.items():
        write_atomically(folder / CERTIFICATES / f"{name}.json", pretty_json(manifest))
    _write_ranges(shipment, folder / RANGES_FOLDER, student, certificates)
    _write_painted(shipment, folder / PAINTED, student.card, bundles, certificates)
    if (images := student.seen_images) is not None:
        write_atomically(folder / SEEN_IMAGES, images.encode())
    text = student_card(shipment.name, folder, read_card(folder), certificates)
    write_atomically(folder / STUDENT_CARD, text)
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    seal_files(folder, [file.relative_to(folder).as_posix() for file in files])


def _certificate(bundle: BuiltBundle) -> Manifest:
    """The manifest of a bundle, of its model files alone and without its evidence of images."""
    manifest = bundle.manifest
    assert manifest is not None
    beside = {"card.md", SELFTEST, SEEN_IMAGES}
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
    arrays: dict[str, Any] = {"images": images}
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
        arrays[name] = try_files(job, log=log)[name].outputs
    np.savez_compressed(file, **arrays)
