"""The policy `light`: each key draws what it says."""

from __future__ import annotations

from dataclasses import fields

import pytest
import torch

from edgekd.data.augment import Draw
from edgekd.data.augment.affine import is_exact
from edgekd.data.augment.light import draw_light
from edgekd.recipe import AugmentSection

OFF = {"flip": False, "quarter_turns": False, "colour": 0.0}
FIELDS = {
    "flip": (True, "affine"),
    "quarter_turns": (True, "affine"),
    "zoom": (0.3, "affine"),
    "crop": (0.4, "affine"),
    "rotate": (30.0, "affine"),
    "colour": (0.2, "factors"),
    "erase": (0.5, "erased"),
}


def drawn(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("key", FIELDS)
def test_a_key_changes_its_own_parameter_alone(key):
    value, changed = FIELDS[key]
    draw = draw_light(AugmentSection(**{**OFF, key: value}), 200, drawn())
    unchanged = Draw.unchanged(200)
    for field in fields(Draw):
        if field.name != "seeds":
            equal = torch.equal(getattr(draw, field.name), getattr(unchanged, field.name))
            assert equal == (field.name != changed), field.name
    assert is_exact(draw.affine).all() == (key not in ("zoom", "crop", "rotate"))


def test_strengths():
    section = AugmentSection(zoom=0.4, colour=0.2)
    draw = draw_light(section, 5000, drawn())
    zooms = 1.0 / torch.linalg.det(draw.affine[:, :, :2]).abs().sqrt()
    assert 0.6 - 1e-5 <= zooms.min() < 0.62
    assert 1.38 < zooms.max() <= 1.4 + 1e-5
    assert 0.8 <= draw.factors.min() < 0.81
    assert 1.19 < draw.factors.max() <= 1.2
    angles = draw_light(AugmentSection(**OFF, rotate=30.0), 5000, drawn()).affine
    degrees = torch.rad2deg(torch.atan2(angles[:, 1, 0], angles[:, 0, 0]))
    assert -30.001 <= degrees.min() < -29
    assert 29 < degrees.max() <= 30.001


def test_keys_that_are_off_draw_nothing():
    generator = drawn()
    draw_light(AugmentSection(**OFF), 10, generator)
    assert torch.equal(generator.get_state(), drawn().get_state())
