"""Labelled images that a bundle is certified on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekd.bundle import Bundle, Manifest
from edgekd.bundle.seen_images import SeenImages, read_seen_images
from edgekd.data import Dataset, Split, decode_images
from edgekd.data.image_hashes import image_hashes
from edgekd.errors import InputError
from edgekd.lower.store import array_sha256
from edgekd.metrics.resampling import group_codes

__all__ = ["CertifyingImages", "read_images", "refuse_trained_on", "seen_with"]

_SHOWN = 3


@dataclass(frozen=True)
class CertifyingImages:
    """Labelled images, decoded as the network gets them.

    Attributes:
        split: The data set; every image judges, so that all are in the part `validation`.
        pixels: uint8 [N, S, S, 3].
    """

    split: Split
    pixels: NDArray[np.uint8]

    @property
    def paths(self) -> list[Path]:
        """The image files [N]."""
        return self.split.dataset.paths()

    @cached_property
    def targets(self) -> NDArray[Any]:
        """Targets [N, …], as the task's data layer makes them."""
        return self.split.dataset.targets()

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """A number for the lesion or patient of each image [N]; no names."""
        names = [sample.group for sample in self.split.dataset.samples]
        return group_codes(names, len(names))

    @cached_property
    def sha256(self) -> str:
        """Hash of the images as the network gets them."""
        return array_sha256(self.pixels)


def read_images(dataset: Dataset, manifest: Manifest) -> CertifyingImages:
    """The images of a data set as the bundle's network gets them.

    Args:
        dataset: Labelled images, their classes in the order of the bundle's.
        manifest: The bundle's manifest.

    Raises:
        InputError: The data set is of other classes, or for another task.
        ImageError: An image cannot be read.
    """
    model = manifest.model
    if (dataset.task, dataset.classes) != (manifest.task, model.classes):
        message = f"the images are of {', '.join(dataset.classes)}, for {dataset.task}"
        raise InputError(
            message, f"the bundle knows {', '.join(model.classes)}, for {manifest.task}"
        )
    pixels = decode_images(dataset.paths(), model.image_size)  # in memory: no cache keeps a patient
    return CertifyingImages(Split(dataset, ("validation",) * len(dataset.samples)), pixels)


def refuse_trained_on(bundle: Bundle, images: CertifyingImages) -> str | None:
    """Refuse images that the network was trained on: they prove nothing of it.

    Images that an earlier decision was fitted on are accepted, as validation images are in a build.

    Returns:
        Why it could not be checked; None where it was.

    Raises:
        InputError: Has the number of such images, and the first of them.
        ArtefactError: The bundle's list of images is damaged.
    """
    listed = read_seen_images(bundle)
    if listed is None:
        return "the bundle does not list the images that it was trained on"
    hashes = image_hashes(images.paths)
    trained = [index for index, sha256 in enumerate(hashes) if listed.part_of(sha256) == "train"]
    if trained:
        samples = images.split.dataset.samples
        first = ", ".join(samples[index].image for index in trained[:_SHOWN])
        more = ", …" if len(trained) > _SHOWN else ""
        message = (
            f"{bundle.label} was trained on {len(trained)} of the {len(hashes)} images ({first}"
            f"{more})"
        )
        raise InputError(message, "remove their rows: they prove nothing of it")
    return None


def seen_with(bundle: Bundle, images: CertifyingImages) -> SeenImages | None:
    """The bundle's list of images with those that its decision is fitted on now.

    None where the bundle has no list: one without the images of training would let a test on them
    pass.
    """
    listed = read_seen_images(bundle)
    return listed and listed.joined({"validation": image_hashes(images.paths)})
