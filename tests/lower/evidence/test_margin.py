from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgekd.lower.evidence.margin import half_way_down, half_way_up

values = st.lists(st.floats(-100, 100), min_size=1, max_size=40).map(np.array)


@given(values, st.data())
def test_decisions_on_the_values_themselves_are_the_same(found, data):
    at = float(data.draw(st.sampled_from(found.tolist())))
    down, up = half_way_down(at, found), half_way_up(at, found)
    assert ((found >= down) == (found >= at)).all()
    assert ((found <= up) == (found <= at)).all()


def test_half_way_to_the_neighbour():
    found = np.array([0.1, 0.5, 0.5, 0.9])
    assert half_way_down(0.5, found) == 0.3
    assert half_way_up(0.5, found) == 0.7


def test_without_a_neighbour_nothing_moves():
    assert half_way_down(0.1, np.array([0.1, 0.9])) == 0.1
    assert half_way_up(0.9, np.array([0.1, 0.9])) == 0.9


def test_rounding_of_another_engine_moves_no_decision():
    found = np.sort(np.random.default_rng(0).random(200))
    at = half_way_down(float(found[150]), found)
    noisy = found + np.random.default_rng(1).uniform(-1e-9, 1e-9, 200)
    assert ((noisy >= at) == (found >= found[150])).all()
