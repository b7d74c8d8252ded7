"""Features of a photo, and their distance from those of the training images."""

from __future__ import annotations

import numpy as np
import pytest

from edgekd.bundle import Appearance
from edgekd.runtime.capture import (
    FEATURES,
    appearance_distance,
    appearance_features,
    views,
)


def test_distance_is_that_of_mahalanobis() -> None:
    generator = np.random.default_rng(0)
    mixing = generator.normal(size=(FEATURES, FEATURES))
    mean, covariance = generator.normal(size=FEATURES), mixing @ mixing.T
    whitening = np.linalg.inv(np.linalg.cholesky(covariance))
    known = Appearance(mean=tuple(mean), whitening=tuple(map(tuple, whitening.tolist())), limit=1.0)
    points = generator.normal(size=(5, FEATURES))
    expected = [(p - mean) @ np.linalg.solve(covariance, p - mean) for p in points]
    np.testing.assert_allclose(appearance_distance(points, known), expected, rtol=1e-8)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_flat_images_have_finite_features(value: int) -> None:
    found = appearance_features(views(np.full((40, 40, 3), value, np.uint8)))
    assert found.shape == (FEATURES,)
    assert np.isfinite(found).all()
