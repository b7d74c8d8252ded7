"""Occlusion maps of a function whose evidence is known, and of a real bundle."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny_bundles import write_tiny_bundle

from edgekd.evaluation.occlusion import CELLS, Explained, occlusion_map


def redness(pixels: np.ndarray) -> np.ndarray:
    """A probability that is the mean of red over its largest value."""
    share = pixels[..., 0].mean() / 255
    return np.array([share, 1 - share])


def spot(size: int = 56) -> np.ndarray:
    """A black picture with a red spot in the second cell of the third row."""
    pixels = np.zeros((size, size, 3), np.uint8)
    cell = size // CELLS
    pixels[2 * cell : 3 * cell, cell : 2 * cell, 0] = 255
    return pixels


def test_the_cell_with_the_evidence_falls_most() -> None:
    changes = occlusion_map(redness, spot(), 0)
    assert changes.shape == (CELLS, CELLS)
    assert np.unravel_index(changes.argmax(), changes.shape) == (2, 1)
    # Four patches hide the spot, and put the photo's mean colour, 5, over four cells.
    assert changes[2, 1] == pytest.approx((1 - 4 * 5 / 255) / 49)
    assert changes[-1, -1] < 0.0
    np.testing.assert_allclose(occlusion_map(redness, spot(), 1), -changes)


def test_what_does_not_look_has_no_map() -> None:
    changes = occlusion_map(lambda pixels: np.array([0.3, 0.7]), spot(), 0)
    np.testing.assert_array_equal(changes, 0.0)


def test_sizes_that_cells_do_not_divide() -> None:
    assert occlusion_map(redness, spot()[:53, :53], 0).shape == (CELLS, CELLS)


def test_a_bundle_is_run_by_its_own_engine(tmp_path: Path) -> None:
    """The tiny bundle answers `bkl` for red: a red half is what speaks for it."""
    pixels = np.full((64, 64, 3), 128, np.uint8)
    pixels[:, :32] = (20, 20, 240)  # OpenCV writes BGR
    cv2.imwrite(str(tmp_path / "photo.png"), pixels)
    with Explained(write_tiny_bundle(tmp_path / "bundle")) as model:
        changes = model.map_of(tmp_path / "photo.png", "bkl")
    assert changes[:, :3].min() > 0.0
    assert changes[:, 4:].max() < changes[:, :3].min()
