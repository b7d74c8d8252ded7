"""Maps of positions, and their composition."""

from __future__ import annotations

import math

import pytest
import torch

from edgekd.data.augment import affine

NO, YES = torch.tensor([False]), torch.tensor([True])
CORNER = torch.tensor([0.5, 0.25, 1.0])


def position(maps: torch.Tensor) -> list[float]:
    return [round(value, 5) for value in (maps[0] @ CORNER).tolist()]


@pytest.mark.parametrize(
    ("maps", "expected"),
    [
        (affine.identity(1), [0.5, 0.25]),
        (affine.mirroring(YES, NO), [-0.5, 0.25]),
        (affine.mirroring(NO, YES), [0.5, -0.25]),
        (affine.quarter_turning(torch.tensor([1])), [-0.25, 0.5]),
        (affine.rotation(torch.tensor([math.pi / 2])), [-0.25, 0.5]),
        (affine.scaling(torch.tensor([2.0])), [0.25, 0.125]),
        (affine.scaling(torch.tensor([[2.0, 0.5]])), [0.25, 0.5]),
        (affine.shearing(torch.tensor([[0.4, 0.0]])), [0.6, 0.25]),
        (affine.shearing(torch.tensor([[0.0, 0.4]])), [0.5, 0.45]),
        (affine.translation(torch.tensor([[0.1, 0.0]])), [0.3, 0.25]),
        (affine.cropping(torch.tensor([[0.5, 0.8]]), torch.tensor([[-1.0, 1.0]])), [-0.25, 0.4]),
    ],
)
def test_where_a_position_is_taken_from(maps, expected):
    assert position(maps) == expected


def test_the_first_of_several_is_applied_to_the_image_first():
    crop = affine.cropping(torch.tensor([[0.5, 0.5]]), torch.tensor([[-1.0, -1.0]]))
    mirror = affine.mirroring(YES, NO)
    assert position(affine.compose(crop, mirror)) == [-0.75, -0.375]
    assert position(affine.compose(mirror, crop)) == [0.25, -0.375]
    turn = affine.quarter_turning(torch.tensor([1]))
    assert position(affine.compose(crop, mirror, turn)) == [-0.375, -0.25]


def test_which_maps_interpolate_nothing():
    turns = affine.quarter_turning(torch.arange(4))
    mirrors = affine.mirroring(
        torch.tensor([True, False] * 2), torch.tensor([True] * 2 + [False] * 2)
    )
    exact = affine.compose(turns, mirrors, affine.scaling(torch.ones(4)))
    assert affine.is_exact(exact).all()
    for other in (
        affine.rotation(torch.tensor([1e-3])),
        affine.rotation(torch.tensor([math.pi / 4])),
        affine.scaling(torch.tensor([1.001])),
        affine.translation(torch.tensor([[0.01, 0.0]])),
        affine.shearing(torch.tensor([[1.0, 0.0]])),
    ):
        assert not affine.is_exact(other).any()


def test_many_turns_and_mirrors_stay_exact():
    maps = affine.identity(8)
    for turn in range(20):
        maps = affine.compose(maps, affine.quarter_turning((torch.arange(8) + turn) % 4))
    assert affine.is_exact(maps).all()
