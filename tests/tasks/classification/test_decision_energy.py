"""Energies against SciPy and at the edges of the number range."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.special import logsumexp

from edgekd.tasks.classification.decision import energy_of


@given(arrays.arrays(np.float32, (3, 5), elements=st.floats(-(2.0**99), 2.0**99, width=32)))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_agrees_with_scipy(logits):
    expected = -logsumexp(logits.astype(np.float64), axis=-1)
    np.testing.assert_allclose(energy_of(logits), expected, rtol=1e-12)


def test_is_float64_and_keeps_the_leading_axes():
    found = energy_of(np.zeros((2, 3, 4), np.float32))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, np.full((2, 3), -np.log(4)))
    assert energy_of([0.0, 0.0]) == pytest.approx(-np.log(2))


def test_is_safe_at_the_ends_of_float64():
    largest = np.finfo(np.float64).max
    assert energy_of([largest, -largest]) == -largest
    assert energy_of([-largest, -largest]) == largest


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_output_that_is_not_finite_is_out_of_distribution(bad):
    found = energy_of([[1.0, bad], [1.0, 2.0]])
    assert found[0] == np.inf
    assert np.isfinite(found[1])


def test_strong_logits_have_a_low_energy():
    assert energy_of([9.0, 0.0]) < energy_of([1.0, 0.0])
