"""The classes and their traits: told apart by structure, not by colour alone."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from edgekd.data.synthetic import CLASSES, paint


def test_classes_are_those_of_ham10000_in_order() -> None:
    assert CLASSES == ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")


@pytest.fixture(scope="module")
def crowd() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Centres of 60 images of each class, [420, 40, 40, 3], and the classes."""
    images = [paint(label, seed, 64)[12:52, 12:52] for label in CLASSES for seed in range(60)]
    return np.stack(images).astype(np.float32), np.repeat(np.arange(len(CLASSES)), 60)


def _nearest_centroid(
    features: npt.NDArray[np.float32], classes: npt.NDArray[np.int64], *, whiten: bool
) -> float:
    """Balanced accuracy on every second sample, the centroids taken from the others.

    Distances are in units of each feature's spread, or of the spread within a class (`whiten`).
    """
    known, asked, labels = features[::2], features[1::2], classes[::2]
    centroids = np.stack([known[labels == k].mean(0) for k in range(len(CLASSES))])
    within = np.cov((known - centroids[labels]).T)
    within += 0.1 * np.diag(np.diag(within))  # few samples: keep it well conditioned
    metric = np.linalg.inv(within) if whiten else np.diag(1 / known.var(0))
    gap = asked[:, None] - centroids
    guess = np.einsum("nki,ij,nkj->nk", gap, metric, gap).argmin(1)
    return float((guess == classes[1::2]).mean())


def _spectrum(images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Structure without colour: contrast of each channel in three octaves, and its sign."""
    found = []
    for sigma in (0.7, 1.4, 2.8):
        fine = [cv2.GaussianBlur(i, (0, 0), sigma) for i in images]
        wide = [cv2.GaussianBlur(i, (0, 0), 2 * sigma) for i in images]
        band = np.stack(fine) - np.stack(wide)
        found += [np.log(band.std((1, 2)) + 0.1), (band**3).mean((1, 2)) / band.std((1, 2)) ** 3]
    return np.concatenate(found, axis=1)


def test_colour_alone_is_weak_and_structure_is_not(
    crowd: tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]],
) -> None:
    images, classes = crowd
    mean_colour, spectrum = images.mean((1, 2)), _spectrum(images)
    assert _nearest_centroid(mean_colour, classes, whiten=False) < 0.4
    structure = _nearest_centroid(spectrum, classes, whiten=True)
    assert structure > 0.45
    assert structure > _nearest_centroid(mean_colour, classes, whiten=True) + 0.05
