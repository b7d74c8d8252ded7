"""Each measure follows what it is named after, and hair and rulers do not move it."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st

from edgekd.runtime.capture import MEASURES, Measures, measures_of, views

Image = npt.NDArray[np.uint8]


def lesion(side: int = 128, at: tuple[float, float] = (0.5, 0.5), radius: float = 0.2) -> Image:
    """Skin with texture and a dark spot."""
    generator = np.random.default_rng(0)
    skin = np.full((side, side, 3), (215, 165, 140), np.float32)
    skin += cv2.GaussianBlur(generator.normal(0, 14, skin.shape).astype(np.float32), (0, 0), 0.8)
    spot = np.zeros((side, side), np.float32)
    centre = (round(at[0] * side), round(at[1] * side))
    cv2.circle(spot, centre, round(radius * side), 1.0, -1)
    spot = cv2.GaussianBlur(spot, (0, 0), side / 64)[..., None]
    return (
        (skin * (1 - spot) + np.array([95, 60, 45], np.float32) * spot)
        .clip(0, 255)
        .astype(np.uint8)
    )


def of(image: Image) -> Measures:
    return measures_of(views(image))


def test_sharpness_falls_with_blur() -> None:
    found = [of(cv2.GaussianBlur(lesion(), (0, 0), sigma)) for sigma in (0.5, 1.5, 4.0)]
    values = [one.sharpness for one in found]
    assert values[0] > 1.5 * values[1] > 3 * values[2]


@pytest.mark.parametrize("factor", [0.15, 0.5, 1.0])
def test_brightness_is_the_luma_of_the_disc(factor: float) -> None:
    image = (lesion() * factor).astype(np.uint8)
    luma = image @ [0.299, 0.587, 0.114]
    assert of(image).brightness == pytest.approx(np.median(luma) / 255, abs=0.03)


def test_dark_rim_of_a_dermatoscope_is_not_darkness() -> None:
    rim = np.zeros((128, 128, 3), np.uint8)
    cv2.circle(rim, (64, 64), 64, (1, 1, 1), -1)
    whole, rimmed = of(lesion()), of(lesion() * rim)
    assert rimmed.brightness == pytest.approx(whole.brightness, abs=0.02)
    assert rimmed.contrast == pytest.approx(whole.contrast, rel=0.1)


def test_glare_is_the_burnt_share() -> None:
    image = lesion()
    assert of(image).glare == 0.0
    cv2.circle(image, (44, 44), 25, (255, 255, 255), -1)
    assert of(image).glare == pytest.approx((25 / 64) ** 2, rel=0.1)


def test_plain_skin_has_little_contrast() -> None:
    assert of(lesion(radius=0.0)).contrast < 8 < 60 < of(lesion()).contrast


@pytest.mark.parametrize("across", [0.5, 0.65, 0.8])
def test_off_centre_is_the_distance_of_the_lesion(across: float) -> None:
    expected = (across - 0.5) * 2
    assert of(lesion(at=(across, 0.5))).off_centre == pytest.approx(expected, abs=0.04)
    assert of(lesion(at=(0.5, across))).off_centre == pytest.approx(expected, abs=0.04)


def hairy(image: Image) -> Image:
    drawn = image.copy()
    for start in (10, 40, 75, 110):
        cv2.line(drawn, (start, 0), (start + 12, 127), (50, 35, 30), 1, cv2.LINE_AA)
    return drawn


def ruled(image: Image) -> Image:
    drawn = image.copy()
    for tick in range(0, 128, 8):
        cv2.line(drawn, (tick, 118), (tick, 127), (20, 20, 20), 1)
    return drawn


@pytest.mark.parametrize("marked", [hairy, ruled])
def test_hair_and_ruler_change_neither_light_nor_lesion(marked: object) -> None:
    plain, with_marks = of(lesion()), of(marked(lesion()))  # type: ignore[operator]
    assert with_marks.sharpness >= plain.sharpness
    assert with_marks.brightness == pytest.approx(plain.brightness, abs=0.03)
    assert with_marks.contrast == pytest.approx(plain.contrast, rel=0.1)
    assert with_marks.off_centre == pytest.approx(plain.off_centre, abs=0.05)


@pytest.mark.parametrize("side", [96, 128, 224, 300])
def test_size_of_the_network_hardly_matters(side: int) -> None:
    found, usual = of(lesion(side)), of(lesion(256))
    assert found.contrast == pytest.approx(usual.contrast, rel=0.05)
    assert found.brightness == pytest.approx(usual.brightness, abs=0.02)
    assert found.off_centre == pytest.approx(usual.off_centre, abs=0.03)


@fuzz(60)
@given(st.integers(8, 80), st.integers(0, 2**31), st.sampled_from(["noise", "flat", "two"]))
def test_any_image_gives_finite_measures_and_the_same_ones_again(
    side: int, seed: int, kind: str
) -> None:
    generator = np.random.default_rng(seed)
    image = generator.integers(0, 256, (side, side, 3)).astype(np.uint8)
    if kind == "flat":
        image[:] = image[0, 0]
    elif kind == "two":
        image = np.where(image > 128, 255, 0).astype(np.uint8)
    found = of(image)
    assert tuple(found.to_dict()) == MEASURES
    assert np.isfinite(list(found.to_dict().values())).all()
    assert 0 <= found.brightness <= 1
    assert 0 <= found.glare <= 1
    assert found == of(image.copy())
