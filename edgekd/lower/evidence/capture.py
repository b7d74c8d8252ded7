"""Limits of photos that have to be taken again, fitted on the validation images."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd.bundle import Appearance, CaptureRule, Limit
from edgekd.bundle.policy import CAPTURE_CODES
from edgekd.lower.evidence.margin import half_way_up
from edgekd.policy import CaptureRules
from edgekd.runtime.capture import (
    appearance_distance,
    appearance_features,
    examine_photo,
    measures_of,
    problems,
    views,
)

__all__ = ["fit_capture", "retaken"]

_LEAST_GLARE = 0.02
"""Least limit of glare: good photos have some, even if the data set was cleaned of it."""

_FOLDS = 5
_IMAGES_PER_FEATURE = 5
_RIDGE = 1e-3


def fit_capture(images: NDArray[np.uint8], share: float, rules: CaptureRules) -> CaptureRule | None:
    """Limits of photo quality that at least `share` of the images keep.

    The share that may be lost is divided evenly among the limits (Bonferroni), so all of them
    together keep the promise on these images.

    Args:
        images: Validation images as the network gets them, uint8 [N, S, S, 3].
        share: Share of the images that keep all limits, in (0, 1]; 0 fits no limits.
        rules: Which measures get limits, and the sentences about them.

    Returns:
        The rule; None where no limits are demanded or there are no images. It has no
        appearance limit with fewer than five images for each of the appearance's features.
    """
    if not share or not rules.measures or len(images) == 0:
        return None
    image_views = [views(image) for image in images]
    sides = [code for name in rules.measures for code in CAPTURE_CODES[name] if code]
    allowed = (1.0 - share) / (len(sides) + 1)  # the appearance has a limit too
    measured = [measures_of(each).to_dict() for each in image_views]
    values = {name: np.array([each[name] for each in measured]) for name in rules.measures}
    features = np.stack([appearance_features(each) for each in image_views])
    return CaptureRule(
        limits={name: _limit(name, values[name], allowed) for name in rules.measures},
        appearance=_appearance(features, allowed),
        coverage=share,
        images=len(images),
        sentences=rules.sentences,
    )


def retaken(images: NDArray[np.uint8], rule: CaptureRule | None) -> NDArray[np.bool_]:
    """Which images [N] would have to be taken again."""
    if rule is None:
        return np.zeros(len(images), np.bool_)
    return np.array(
        [bool(problems(examine_photo(image, rule), rule)) for image in images], np.bool_
    )


def _limit(name: str, values: NDArray[np.float64], allowed: float) -> Limit:
    low_code, high_code = CAPTURE_CODES[name]
    low = -_exceeded_by(-values, allowed) if low_code else None
    high = _exceeded_by(values, allowed) if high_code else None
    if high is not None and name == "glare":
        high = max(high, _LEAST_GLARE)
    return Limit(low=low, high=high)


def _exceeded_by(values: NDArray[np.float64], allowed: float) -> float:
    """A limit that at most a share `allowed` of the values exceeds, between two of them."""
    ordered = np.sort(values)
    return half_way_up(float(ordered[-1 - int(allowed * len(ordered))]), values)


def _appearance(features: NDArray[np.float64], allowed: float) -> Appearance | None:
    """Mean, whitening and the limit of the distance.

    The limit is taken from distances to a distribution that was fitted without the image itself
    (cross-fitting in folds): an image lies closer to a distribution that was fitted with it.
    """
    count, size = features.shape
    if count < _IMAGES_PER_FEATURE * size:
        return None
    fold = np.arange(count) % _FOLDS
    distances = np.empty(count)
    for number in range(_FOLDS):
        without = _distribution(features[fold != number])
        distances[fold == number] = appearance_distance(features[fold == number], without)
    limit = _exceeded_by(distances, allowed)
    return msgspec.structs.replace(_distribution(features), limit=limit)


def _distribution(features: NDArray[np.float64]) -> Appearance:
    covariance = np.cov(features.T)
    # Grey images have colour features without spread; the ridge keeps them invertible.
    covariance += np.diag(_RIDGE * np.diag(covariance) + 1e-6)
    whitening = np.linalg.inv(np.linalg.cholesky(covariance))
    return Appearance(
        mean=tuple(features.mean(axis=0).tolist()),
        whitening=tuple(tuple(row) for row in whitening.tolist()),
        limit=np.inf,
    )
