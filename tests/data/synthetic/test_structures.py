"""Dermoscopic structures: maps from 0 to 1 that differ with their arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgekd.data.synthetic import structures
from edgekd.data.synthetic.fields import grid

SIZE = 96
CIRCLE = np.full(360, 0.6)  # radius of the border at even steps of the angle
MAPS: dict[str, Callable[[np.random.Generator], Any]] = {
    "network": lambda rng: structures.network(rng, SIZE, 0.3),
    "globules": lambda rng: structures.globules(rng, SIZE, 0.3),
    "blotch": lambda rng: structures.blotch(rng, SIZE, 0.2),
    "patches": lambda rng: structures.patches(rng, SIZE, 6, 0.4),
    "peppering": lambda rng: structures.peppering(rng, SIZE),
    "cysts": lambda rng: structures.cysts(rng, SIZE),
    "openings": lambda rng: structures.openings(rng, SIZE),
    "gyri": lambda rng: structures.gyri(rng, SIZE),
    "arborising_vessels": lambda rng: structures.arborising_vessels(rng, SIZE),
    "nests": lambda rng: structures.nests(rng, SIZE),
    "dotted_vessels": lambda rng: structures.dotted_vessels(rng, SIZE),
    "scale": lambda rng: structures.scale(rng, SIZE),
    "scar": lambda rng: structures.scar(rng, SIZE),
    "lacunae": lambda rng: structures.lacunae(rng, SIZE),
}


def drawn(name: str, seed: int = 1) -> np.ndarray:
    return np.asarray(MAPS[name](np.random.default_rng(seed)))


@pytest.mark.parametrize("name", MAPS)
def test_a_map_from_0_to_1_that_follows_its_seed(name: str) -> None:
    field = drawn(name)
    assert field.shape == (SIZE, SIZE)
    assert -1e-6 <= field.min() < field.max() <= 1 + 1e-6
    assert field.max() > 0.3
    assert np.array_equal(field, drawn(name))
    assert not np.array_equal(field, drawn(name, seed=2))


def test_every_structure_is_checked() -> None:
    special = {"streaks", "strawberry"}
    assert {*MAPS, *special} == set(structures.__all__)


def test_patches_cover_about_their_share() -> None:
    shares = [structures.patches(np.random.default_rng(s), SIZE, 6, 0.4).mean() for s in range(20)]
    assert np.mean(shares) == pytest.approx(0.4, abs=0.12)


def test_a_scar_lies_in_the_centre() -> None:
    radius = grid(SIZE).radius
    scars = [drawn("scar", seed) for seed in range(10)]
    assert np.mean([scar[radius < 0.2].mean() for scar in scars]) > 0.5
    assert np.mean([scar[radius > 0.8].mean() for scar in scars]) < 0.05


def test_the_pseudo_network_surrounds_its_follicles() -> None:
    network, follicles = structures.strawberry(np.random.default_rng(1), SIZE)
    assert network.shape == follicles.shape == (SIZE, SIZE)
    assert network[follicles > 0.8].mean() < network[follicles < 0.2].mean()


def test_streaks_cross_the_border_in_one_sector() -> None:
    field = structures.streaks(np.random.default_rng(1), SIZE, CIRCLE)
    frame = grid(SIZE)
    assert field[frame.radius < 0.3].max() == 0.0
    assert field[(frame.radius > 0.58) & (frame.radius < 0.62)].max() > 0.5
    angles = frame.angle[field > 0.5]
    assert np.abs(np.exp(1j * angles).mean()) > 0.5
