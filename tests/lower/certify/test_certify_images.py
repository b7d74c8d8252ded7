"""The images that a bundle is certified on: its classes, whole groups, none that it learnt."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from certifying import CLASSES, read_labelled, write_uncertified

from edgekd.bundle import Bundle
from edgekd.bundle.seen_images import SEEN_IMAGES, SeenImages
from edgekd.errors import InputError
from edgekd.lower.certify.images import read_images, refuse_trained_on, seen_with


def listed(folder: Path, part: str, photos: list[Path]) -> Path:
    """A bundle that lists photos as those of a part of its split."""
    hashes = [hashlib.sha256(photo.read_bytes()).hexdigest() for photo in photos]
    content = SeenImages.of({part: hashes}, key="a data set").encode()
    return write_uncertified(folder, files={SEEN_IMAGES: content})


def test_images_labels_and_patients_of_a_table(bundle: Path, table: Path) -> None:
    with Bundle.open(bundle) as opened:
        images = read_images(read_labelled(table), opened.manifest)
    assert images.pixels.shape == (90, 16, 16, 3)
    assert images.targets.tolist() == [number % 3 for number in range(90)]
    assert len(np.unique(images.groups)) == 45
    assert images.groups[0] == images.groups[45]
    assert set(images.split.parts) == {"validation"}


def test_without_a_column_of_patients_each_image_stands_alone(bundle: Path, table: Path) -> None:
    with Bundle.open(bundle) as opened:
        images = read_images(read_labelled(table, patients=False), opened.manifest)
    assert len(np.unique(images.groups)) == 90


def test_images_of_other_classes_are_refused(bundle: Path, table: Path) -> None:
    dataset = replace(read_labelled(table), classes=("mel", "bkl", "nv"))
    with (
        Bundle.open(bundle) as opened,
        pytest.raises(InputError, match=r"are of mel, bkl, nv, for classification") as caught,
    ):
        read_images(dataset, opened.manifest)
    assert "bkl, mel, nv" in caught.value.hint


def test_photos_that_it_was_trained_on_are_refused(table: Path, tmp_path: Path) -> None:
    photos = [table.parent / f"{number}.png" for number in (4, 7)]
    with Bundle.open(listed(tmp_path / "b", "train", photos)) as opened:
        images = read_images(read_labelled(table), opened.manifest)
        with pytest.raises(InputError, match=r"trained on 2 of the 90 images \(4\.png, 7\.png\)"):
            refuse_trained_on(opened, images)


def test_photos_that_it_was_fitted_on_are_accepted(table: Path, tmp_path: Path) -> None:
    photos = [table.parent / "4.png"]
    with Bundle.open(listed(tmp_path / "b", "validation", photos)) as opened:
        images = read_images(read_labelled(table), opened.manifest)
        assert refuse_trained_on(opened, images) is None
        seen = seen_with(opened, images)
    assert seen is not None
    assert seen.counts() == {"validation": 90}


def test_a_bundle_without_a_list_cannot_be_checked(bundle: Path, table: Path) -> None:
    with Bundle.open(bundle) as opened:
        images = read_images(read_labelled(table), opened.manifest)
        reason = refuse_trained_on(opened, images)
        assert reason is not None
        assert "does not list" in reason
        assert seen_with(opened, images) is None
    assert opened.manifest.model.classes == CLASSES
