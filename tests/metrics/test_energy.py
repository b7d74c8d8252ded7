"""The threshold keeps the share that was asked for."""

from __future__ import annotations

import numpy as np
import pytest

from edgekd import metrics
from edgekd.errors import InputError


@pytest.mark.parametrize(
    ("n", "kept", "above"), [(100, 0.97, 3), (100, 0.55, 45), (10, 0.97, 0), (34, 0.97, 1)]
)
def test_threshold_keeps_the_share_and_no_image_more(n, kept, above):
    energies = np.random.default_rng(0).permutation(np.arange(n) - 50.0)
    assert (energies > metrics.energy_threshold(energies, kept)).sum() == above


def test_ties_are_kept():
    assert metrics.energy_threshold([1.0, 2.0, 2.0, 2.0], 0.5) == 2.0


def test_without_a_finite_threshold_there_is_none():
    assert metrics.energy_threshold([]) is None
    assert metrics.energy_threshold([0.0] * 97 + [np.inf] * 3) == 0.0
    assert metrics.energy_threshold([0.0] * 96 + [np.inf] * 4) is None


@pytest.mark.parametrize("kept", [0.0, 1.5])
def test_share_out_of_range(kept):
    with pytest.raises(InputError):
        metrics.energy_threshold([1.0], kept)
