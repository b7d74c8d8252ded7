"""Temperature scaling against SciPy's bounded search."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from edgekd.errors import InputError
from edgekd.metrics import fit_temperature, negative_log_likelihood


def case(seed: int, scale: float):
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, 5, 300)
    logits = generator.normal(size=(300, 5))
    logits[np.arange(300), targets] += 1.0
    return logits * scale, targets


@given(st.integers(0, 1000), st.floats(0.3, 8.0))
@settings(max_examples=25, deadline=None)
def test_agrees_with_scipy(seed, scale):
    logits, targets = case(seed, scale)

    def loss(log_temperature):
        scaled = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -scaled[np.arange(targets.size), targets].mean()

    best = minimize_scalar(loss, bounds=np.log([0.05, 20]), method="bounded").x
    assert fit_temperature(logits, targets) == pytest.approx(np.exp(best), rel=1e-3)


def test_scaling_the_logits_scales_the_temperature():
    logits, targets = case(0, 1.0)
    assert fit_temperature(3 * logits, targets) == pytest.approx(
        3 * fit_temperature(logits, targets), rel=1e-4
    )


def test_it_lowers_the_likelihoods_loss():
    logits, targets = case(0, 6.0)
    fitted = fit_temperature(logits, targets)
    assert negative_log_likelihood(logits, targets, fitted) < negative_log_likelihood(
        logits, targets
    )


def test_bounds():
    assert fit_temperature([[1.0, 0.0], [0.0, 1.0]], [0, 1]) == pytest.approx(0.05, rel=1e-3)
    assert fit_temperature([[9.0, 0.0], [0.0, 9.0]], [1, 0]) == pytest.approx(20.0, rel=1e-3)


@pytest.mark.parametrize(
    ("logits", "targets"),
    [(np.empty((0, 3)), np.empty(0, int)), ([[np.nan, 1.0]], [0])],
)
def test_refuses_empty_and_nan(logits, targets):
    with pytest.raises(InputError):
        fit_temperature(logits, targets)


def test_likelihood_refuses_a_temperature_of_zero():
    with pytest.raises(InputError):
        negative_log_likelihood([[1.0, 0.0]], [0], 0.0)
