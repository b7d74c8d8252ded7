"""Limits fitted to painted photos let those pass and stop what is plainly no use."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from edgekd.data.synthetic import paint
from edgekd.lower.evidence.capture import fit_capture, retaken
from edgekd.policy import CaptureRules, load_policy
from edgekd.runtime.capture import examine_photo, problems

Image = npt.NDArray[np.uint8]
SIDE = 96
RULES = load_policy("dermoscopy").capture


@pytest.fixture(scope="module")
def photos() -> Image:
    labels = ("mel", "nv", "bkl", "bcc")
    return np.stack([paint(labels[seed % 4], seed, SIDE) for seed in range(240)])


def blurred(image: Image) -> Image:
    return cv2.GaussianBlur(image, (0, 0), SIDE / 20).astype(np.uint8)


def darkened(image: Image) -> Image:
    return (image * 0.1).astype(np.uint8)


def overexposed(image: Image) -> Image:
    return np.clip(image * 3.0, 0, 255).astype(np.uint8)


def emptied(image: Image) -> Image:
    skin = np.percentile(image.reshape(-1, 3), 75, axis=0)
    grain = np.random.default_rng(0).normal(0, 3, image.shape)
    return np.clip(skin + grain, 0, 255).astype(np.uint8)


def replaced_by_noise(image: Image) -> Image:
    return np.random.default_rng(0).integers(0, 256, image.shape).astype(np.uint8)


def test_promise_is_kept_on_the_images_fitted_on(photos: Image) -> None:
    for kept in (0.9, 0.985, 1.0):
        rule = fit_capture(photos, kept, RULES)
        assert rule is not None
        assert (rule.coverage, rule.images) == (kept, len(photos))
        assert retaken(photos, rule).mean() <= 1 - kept + 1 / len(photos)


@pytest.mark.parametrize(
    "spoil", [blurred, darkened, overexposed, emptied, replaced_by_noise], ids=lambda f: f.__name__
)
def test_useless_photos_are_to_be_taken_again(
    photos: Image, spoil: Callable[[Image], Image]
) -> None:
    rule = fit_capture(photos[:200], 0.985, RULES)
    spoilt = np.stack([spoil(image) for image in photos[200:]])
    assert retaken(spoilt, rule).mean() > 0.9
    assert retaken(photos[200:], rule).mean() < 0.1


def test_same_images_give_the_same_rule(photos: Image) -> None:
    assert fit_capture(photos[:100], 0.985, RULES) == fit_capture(photos[:100].copy(), 0.985, RULES)


def test_too_few_images_know_no_looks(photos: Image) -> None:
    few, enough = fit_capture(photos[:79], 0.985, RULES), fit_capture(photos[:80], 0.985, RULES)
    assert few is not None
    assert few.appearance is None
    assert few.limits
    assert enough is not None
    assert enough.appearance is not None


def test_no_limits_where_none_are_asked_for(photos: Image) -> None:
    assert fit_capture(photos, 0.0, RULES) is None
    assert fit_capture(photos[:0], 0.985, RULES) is None
    assert not retaken(photos[:3], None).any()
    assert fit_capture(photos, 0.985, CaptureRules()) is None


def test_a_fundus_rule_speaks_of_no_lesion(photos: Image) -> None:
    rule = fit_capture(photos, 0.985, load_policy("fundus").capture)
    assert rule is not None
    assert set(rule.limits) == {"sharpness", "brightness", "glare"}
    assert retaken(photos, rule).mean() <= 0.015
    said = {}
    for spoil in (blurred, darkened, overexposed, emptied, replaced_by_noise):
        for image in photos[:20]:
            reasons = problems(examine_photo(spoil(image), rule), rule)
            said |= {reason.code: reason.text for reason in reasons}
    assert {"blurred", "dark", "bright", "unlike"} <= set(said)
    assert not any("lesion" in text or "skin" in text for text in said.values())
    assert "photograph the fundus" in said["unlike"]
