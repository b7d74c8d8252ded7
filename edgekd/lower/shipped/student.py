"""A shipped student: a checkpoint with what replaces its images.

Its folder has the files of a checkpoint (`model.json`, `model.safetensors`, `split.csv`,
`metrics.json`) and

* `card.md` for people,
* `certificates/BUNDLE.json`: the manifest of a file that was judged where the student was made,
* `ranges/BACKEND-VARIANT.safetensors`: the ranges of that file's activations,
* `seen-images.json`: hashes of the images that it was trained and fitted on,
* `painted.npz`: painted images, and the outputs of each judged file for them,
* `seal.json`: the hashes of all that.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekd.bundle import Manifest
from edgekd.bundle.manifest import decode_manifest
from edgekd.bundle.seen_images import SeenImages
from edgekd.errors import ArtefactError
from edgekd.files import sha256_of
from edgekd.lower.backends import get_backend
from edgekd.lower.precision import Variant
from edgekd.lower.shipped.painted import painted_images, painted_split
from edgekd.lower.source import Source, refuse_teacher
from edgekd.models import ModelCard, read_card
from edgekd.models.card import read_metrics
from edgekd.models.training_images import carried_list
from edgekd.resources import student_folders
from edgekd.seals import SEAL, flaws_of

__all__ = [
    "CERTIFICATES",
    "PAINTED",
    "RANGES_FOLDER",
    "STUDENT_CARD",
    "ShippedStudent",
    "is_shipped",
    "ranges_name",
    "read_student",
    "student_without_images",
    "variant_of",
]

CERTIFICATES, RANGES_FOLDER = "certificates", "ranges"
PAINTED, STUDENT_CARD = "painted.npz", "card.md"

_IMAGES = "images"
_HINT = "install edgekd again, or copy the student's whole folder again"


@dataclass(frozen=True)
class ShippedStudent:
    """A shipped student.

    Attributes:
        folder: Its folder.
        card: Card of the checkpoint.
        certificates: Manifests of the judged files by name of the bundle: the target's, and where
            it is of one precision TARGET-PRECISION. Their `files` are the model files alone.
        images: Painted images for the self-test, uint8 [N, S, S, 3].
        outputs: Outputs [N, …] of the judged files for these images, by name of the bundle.
        seen_images: Hashes of the images that it was trained and fitted on, if it has the list.
    """

    folder: Path
    card: ModelCard
    certificates: Mapping[str, Manifest]
    images: NDArray[np.uint8]
    outputs: Mapping[str, NDArray[np.float32]]
    seen_images: SeenImages | None = None

    @property
    def name(self) -> str:
        """Its name; of a checkpoint that is no shipped student, that of its architecture."""
        return self.folder.name if is_shipped(self.folder) else self.card.arch

    @property
    def address(self) -> str:
        """What `--model` takes: its name, or its folder where it is none of the known ones."""
        return self.name if student_folders().get(self.name) == self.folder else str(self.folder)

    @cached_property
    def sha256(self) -> str:
        """Hash of everything that it carries; of no shipped student, that of its network."""
        return sha256_of(self.folder / SEAL) if self.certificates else self.card.network_sha256

    @cached_property
    def ranges(self) -> dict[tuple[str, Variant], Path]:
        """Files of recorded ranges, by backend and variant."""
        files = {}
        for manifest in self.certificates.values():
            backend, variant = manifest.lowering.backend, variant_of(manifest)
            file = self.folder / RANGES_FOLDER / ranges_name(backend, variant)
            if file.is_file():
                files[backend, variant] = file
        return files

    def source(self) -> Source:
        """The student as builds take it, with the painted images for its validation images."""
        split = painted_split(len(self.images), self.card.classes, self.card.task)
        return Source(self.folder, self.card, split, self.images, read_metrics(self.folder))

    def certificates_for(self, target: str, backend: str) -> Iterator[tuple[str, Manifest]]:
        """Certificates of files that a target runs, with their names: first those made for it.

        One of another target of the same backend is of the very same file.
        """
        fitting = [
            (name, manifest)
            for name, manifest in self.certificates.items()
            if manifest.lowering.backend == backend
        ]
        yield from sorted(fitting, key=lambda one: one[1].lowering.target != target)


def is_shipped(folder: Path) -> bool:
    """Whether a checkpoint carries certificates instead of images."""
    return (folder / CERTIFICATES).is_dir()


def variant_of(manifest: Manifest) -> Variant:
    """The variant that a manifest's file was lowered to."""
    chosen = [rung for rung in manifest.lowering.rungs if rung.chosen]
    layers = chosen[0].float_layers if chosen else ()
    return Variant(precision=manifest.lowering.precision, float_layers=layers)


def ranges_name(backend: str, variant: Variant) -> str:
    """Name of the file of recorded ranges."""
    return f"{backend}-{variant.label}.safetensors"


def read_student(folder: Path) -> ShippedStudent:
    """Read a shipped student, and check everything that it carries.

    Raises:
        ArtefactError: A file is missing or damaged, or the files contradict one another.
        MissingDependencyError: A third party's task or backend lacks a package.
    """
    for name, flaw in flaws_of(folder).items():
        raise ArtefactError(f"{folder / name} {flaw}", _HINT)
    card = read_card(folder)
    certificates = {
        file.stem: _certificate(file, card)
        for file in sorted((folder / CERTIFICATES).glob("*.json"))
    }
    images, outputs = _painted(folder / PAINTED, card, certificates)
    return ShippedStudent(folder, card, certificates, images, outputs, carried_list(folder))


def student_without_images(folder: Path) -> ShippedStudent:
    """A checkpoint that has never seen a labelled image, as a student that carries no certificate.

    Raises:
        InputError: It is of a kind that can teach alone.
        ArtefactError: Its card is damaged.
    """
    card = read_card(folder)
    refuse_teacher(folder, card)
    return ShippedStudent(folder, card, {}, painted_images(card.image_size), {})


def _certificate(file: Path, card: ModelCard) -> Manifest:
    manifest = decode_manifest(file.read_bytes())
    get_backend(manifest.lowering.backend)
    model = manifest.model
    if (model.classes, model.image_size) != (card.classes, card.image_size):
        raise ArtefactError(f"{file} is the certificate of another student", _HINT)
    return manifest


def _painted(
    file: Path, card: ModelCard, certificates: Mapping[str, Manifest]
) -> tuple[NDArray[np.uint8], dict[str, NDArray[np.float32]]]:
    shape = (card.image_size, card.image_size, 3)
    try:
        with np.load(file, allow_pickle=False) as arrays:
            images = arrays[_IMAGES]
            outputs = {name: arrays[name] for name in certificates}
    except (OSError, LookupError, ValueError, zipfile.BadZipFile) as error:
        raise ArtefactError(f"{file} cannot be read: {error}", _HINT) from error
    if images.shape[1:] != shape or any(len(each) != len(images) for each in outputs.values()):
        raise ArtefactError(f"{file} does not belong to its student", _HINT)
    return images, outputs
