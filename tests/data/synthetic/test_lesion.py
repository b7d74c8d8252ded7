"""Lesions as layers: where their pigment lies and what covers it."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from edgekd.data.synthetic.catalogue import Traits, draw_traits
from edgekd.data.synthetic.fields import grid
from edgekd.data.synthetic.lesion import paint_lesion

SIZE = 96
BARE = Traits(**{field.name: 0.0 for field in fields(Traits)})


def painted(traits: Traits, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    lesion = paint_lesion(traits, np.random.default_rng(seed), SIZE)
    return lesion.density, lesion.cover


def test_pigment_lies_inside_the_border() -> None:
    traits = replace(BARE, melanin=1.0, softness=0.05)
    density, _ = painted(traits)
    radius = grid(SIZE).radius
    assert density[radius < 0.2].mean() > 0.1
    assert density[radius > 0.98].max() == 0.0


def test_more_melanin_is_darker() -> None:
    light, dark = (painted(replace(BARE, melanin=m, softness=0.05))[0] for m in (0.2, 1.0))
    assert dark.sum() > 2 * light.sum()


def test_covers_are_colours_times_their_opacity() -> None:
    for label in ("bcc", "bkl", "df"):
        traits = draw_traits(label, np.random.default_rng(1))
        _, cover = painted(traits)
        assert cover.min() >= 0.0
        assert (cover[..., :3] <= cover[..., 3:] + 1e-6).all()
        assert cover[..., 3].max() <= 1.0 + 1e-6


def test_a_lesion_depends_on_its_seed_alone() -> None:
    traits = draw_traits("mel", np.random.default_rng(1))
    assert np.array_equal(painted(traits)[0], painted(traits)[0])
    assert not np.array_equal(painted(traits)[0], painted(traits, seed=4)[0])
