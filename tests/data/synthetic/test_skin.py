"""Skin: its colours, and what pigment does to them."""

from __future__ import annotations

import numpy as np

from edgekd.data.synthetic.skin import BLOOD, MELANIN, absorb, draw_tone, paint_skin


def test_tones_are_colours_of_skin() -> None:
    tones = np.array([draw_tone(np.random.default_rng(seed)) for seed in range(50)])
    assert 0.0 < tones.min() < tones.max() < 1.0
    assert (tones[:, 0] > tones[:, 1]).all()
    assert (tones[:, 1] > tones[:, 2]).all()  # red, then green, then blue
    assert tones.std(axis=0).min() > 0.02


def test_skin_stays_near_its_tone() -> None:
    tone = draw_tone(np.random.default_rng(0))
    skin = paint_skin(np.random.default_rng(1), 64, tone)
    assert skin.shape == (64, 64, 3)
    assert np.allclose(skin.mean(axis=(0, 1)), tone, atol=0.1)
    assert skin.std() > 0.0


def test_absorption_follows_beer_and_lambert() -> None:
    white = np.ones(3, np.float32)
    once, twice = absorb(white, MELANIN), absorb(absorb(white, MELANIN), MELANIN)
    assert np.allclose(twice, once**2, rtol=1e-6)
    assert np.allclose(absorb(white, 0 * BLOOD), white)
