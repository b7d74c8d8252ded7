"""What the policies draw: ranges, shares, parts of an image."""

from __future__ import annotations

import pytest
import torch

from edgekd.data.augment import chance


def drawn(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_ranges():
    between = chance.between(2.0, 5.0, 5000, generator=drawn())
    assert 2.0 <= between.min() < 2.01
    assert 4.99 < between.max() <= 5.0
    around = chance.around(1.0, 0.5, 5000, 2, generator=drawn())
    assert around.shape == (5000, 2)
    assert 0.5 <= around.min() < 0.51
    assert 1.49 < around.max() <= 1.5


@pytest.mark.parametrize("probability", [0.0, 0.2, 1.0])
def test_probability(probability):
    share = chance.happens(probability, 10_000, generator=drawn()).float().mean()
    assert share == pytest.approx(probability, abs=0.02 * (0 < probability < 1))


def test_seeds_differ():
    assert len(chance.seeds(100, drawn()).unique()) == 100
    assert torch.equal(chance.seeds(5, drawn(2)), chance.seeds(5, drawn(2)))


@pytest.mark.parametrize("least", [0.08, 0.5, 0.9, 0.999])
def test_crops_have_a_uniform_area_and_fit(least):
    sides = chance.crop_sides(least, 10_000, drawn())
    assert sides.max() <= 1.0
    area, aspect = sides.prod(dim=1), sides[:, 0] / sides[:, 1]
    assert area.min() >= least - 1e-6
    assert area.mean() == pytest.approx((least + 1) / 2, abs=0.01)
    assert area.std() == pytest.approx((1 - least) * 12**-0.5, abs=0.01)
    assert aspect.min() >= 3 / 4 - 1e-4
    assert aspect.max() <= 4 / 3 + 1e-4
    assert aspect.log().mean() == pytest.approx(0.0, abs=0.01)


def test_erased_rectangles():
    rectangles = chance.erased_rectangles(0.5, 10_000, drawn())
    happened = rectangles[:, 2] > 0
    assert happened.float().mean() == pytest.approx(0.5, abs=0.02)
    assert (rectangles[~happened] == 0).all()
    left, top, right, bottom = rectangles[happened].unbind(1)
    area, aspect = (right - left) * (bottom - top), (right - left) / (bottom - top)
    assert area.min() >= 0.0199
    assert 0.38 < area.max() <= 0.4001
    assert 0.299 <= aspect.min() < 0.31
    assert 3.2 < aspect.max() <= 3.34
    assert rectangles.min() >= 0
    assert rectangles.max() <= 1.0 + 1e-6
