"""The policy of the SSD-KD paper: how often each change is drawn, and how strong."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from edgekd.data.augment import Draw, augment
from edgekd.data.augment.affine import is_exact
from edgekd.data.augment.dermoscopy import draw_dermoscopy
from edgekd.errors import InputError
from edgekd.recipe import AugmentSection, convert

COUNT = 20_000


def drawn(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def draw() -> Draw:
    return draw_dermoscopy(COUNT, drawn())


def share(rows: Tensor) -> float:
    return float(rows.float().mean())


def test_how_often_each_change_is_drawn(draw):
    assert share(draw.blur > 0) == pytest.approx(0.25, abs=0.015)
    assert share(draw.dropped_pixels > 0) == pytest.approx(0.05, abs=0.01)
    assert share(draw.dropped_blocks > 0) == pytest.approx(0.05, abs=0.01)
    assert not ((draw.dropped_pixels > 0) & (draw.dropped_blocks > 0)).any()
    assert share((draw.shift != 0).any(1)) == pytest.approx(0.125, abs=0.01)
    assert share((draw.hue_saturation != 0).any(1)) == pytest.approx(0.125, abs=0.01)
    assert not ((draw.shift != 0).any(1) & (draw.hue_saturation != 0).any(1)).any()
    assert share(~is_exact(draw.affine)) == pytest.approx(1 - 0.75**2, abs=0.015)
    assert (draw.factors == 1).all()
    assert (draw.erased == 0).all()


def test_how_strong_the_changes_are(draw):
    assert 1.45 < draw.blur.max() <= 1.5
    assert 0.045 < draw.dropped_pixels.max() <= 0.05
    assert draw.dropped_blocks.unique().tolist() == pytest.approx([0.0, 0.02])
    assert 14 / 255 < draw.shift.abs().max() <= 15 / 255 + 1e-6
    assert 9.5 / 255 < draw.hue_saturation.abs().max() <= 10 / 255 + 1e-6
    shifted = draw.shift[(draw.shift != 0).any(1)]
    assert share((shifted == shifted[:, :1]).all(1)) == pytest.approx(0.5, abs=0.04)


def test_mirrors_zooms_and_angles(draw):
    exact = draw.affine[is_exact(draw.affine)][:, [0, 1], [0, 1]]
    assert share(exact[:, 0] < 0) == pytest.approx(0.5, abs=0.015)
    assert share(exact[:, 1] < 0) == pytest.approx(0.2, abs=0.015)
    linear = draw.affine[:, :, :2]
    straight = (linear[:, 0, 1] == 0) & ~is_exact(draw.affine)
    zooms = 1.0 / linear[straight][:, [0, 1], [0, 1]].abs()
    assert 1.0 <= zooms.min() < 1.01
    assert 1.99 < zooms.max() <= 2.0
    unzoomed = (linear[:, :, 0].norm(dim=1) - 1).abs() < 1e-5
    rotated = linear[unzoomed & (linear[:, 0, 1] != 0)]
    rotated = rotated * torch.linalg.det(rotated).sign()[:, None, None]
    assert share(linear[:, 0, 1] != 0) == pytest.approx(0.25, abs=0.015)
    assert (draw.affine[:, :, 2] == 0).all()
    cosines = linear[unzoomed][:, 0].abs().amax(1)
    assert cosines.max() == 1.0
    angles = torch.atan2(linear[:, 1, 0], linear[:, 1, 1].abs())[linear[:, 0, 1] != 0]
    assert angles.abs().max() <= math.pi / 2 + 1e-6


@pytest.mark.parametrize("size", [16, 17, 48])
def test_the_policy(size):
    section = AugmentSection(policy="dermoscopy")
    pixels = torch.rand(64, 3, size, size, generator=drawn(0))
    changed = augment(pixels, section, drawn())
    assert changed.shape == pixels.shape
    assert 0.0 <= changed.min() <= changed.max() <= 1.0
    assert changed.equal(augment(pixels, section, drawn()))
    assert not changed.equal(augment(pixels, section, drawn(2)))
    untouched = share((changed == pixels).flatten(1).all(1))
    assert 0.02 < untouched < 0.3  # 0.75³ · 0.5 · 0.8 · 0.9 · 0.75 = 0.11


def test_keys_that_the_policy_would_not_read_are_refused():
    with pytest.raises(InputError, match="dermoscopy takes no further keys"):
        convert({"policy": "dermoscopy", "zoom": 0.3}, AugmentSection, "the recipe")
