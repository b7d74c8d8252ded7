from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edgekd.bundle import Appearance, CaptureRule, Limit
from edgekd.bundle.policy import Sentence
from edgekd.runtime.capture import (
    FEATURES,
    CaptureQuality,
    Measures,
    appearance_features,
    examine_photo,
    problems,
    views,
)

GOOD = Measures(sharpness=2.0, brightness=0.6, glare=0.0, contrast=40.0, off_centre=0.1)
LIMITS = {
    "sharpness": Limit(low=0.5),
    "brightness": Limit(low=0.2, high=0.9),
    "glare": Limit(high=0.02),
    "contrast": Limit(low=10.0),
    "off_centre": Limit(high=0.7),
}


def codes(quality: CaptureQuality, rule: CaptureRule) -> list[str]:
    return [reason.code for reason in problems(quality, rule)]


@pytest.mark.parametrize(
    ("measure", "value", "code"),
    [
        ("sharpness", 0.49, "blurred"),
        ("brightness", 0.19, "dark"),
        ("brightness", 0.91, "bright"),
        ("glare", 0.021, "glare"),
        ("contrast", 9.9, "no-lesion"),
        ("off_centre", 0.71, "off-centre"),
    ],
)
def test_each_limit_has_its_reason(measure: str, value: float, code: str) -> None:
    rule = CaptureRule(limits=LIMITS)
    assert codes(CaptureQuality(GOOD, None), rule) == []
    bad = dataclasses.replace(GOOD, **{measure: value})
    assert codes(CaptureQuality(bad, None), rule) == [code]
    assert codes(CaptureQuality(bad, None), CaptureRule()) == []


def test_value_on_the_limit_passes() -> None:
    edge = Measures(sharpness=0.5, brightness=0.2, glare=0.02, contrast=10.0, off_centre=0.7)
    assert codes(CaptureQuality(edge, None), CaptureRule(limits=LIMITS)) == []


def test_reason_says_numbers_and_what_to_do() -> None:
    bad = dataclasses.replace(GOOD, sharpness=0.25)
    (reason,) = problems(CaptureQuality(bad, None), CaptureRule(limits=LIMITS))
    assert str(reason) == (
        "the photo is blurred (sharpness 0.25 is below 0.5): hold still and focus"
    )


def test_sentences_of_the_bundle_are_said() -> None:
    sentences = {"blurred": Sentence(problem="the retina is not sharp", remedy="focus again")}
    rule = CaptureRule(limits=LIMITS, sentences=sentences)
    (reason,) = problems(CaptureQuality(dataclasses.replace(GOOD, sharpness=0.25), None), rule)
    assert str(reason) == "the retina is not sharp (sharpness 0.25 is below 0.5): focus again"
    assert reason.code == "blurred"


def test_code_without_a_sentence_still_asks_for_another_photo() -> None:
    rule = CaptureRule(limits=LIMITS, sentences={"dark": Sentence(problem="dark", remedy="light")})
    (reason,) = problems(CaptureQuality(dataclasses.replace(GOOD, contrast=1.0), None), rule)
    assert str(reason) == "the photo is no-lesion (contrast 1 is below 10): take another"


def test_measure_of_a_newer_edgekd_is_ignored() -> None:
    rule = CaptureRule(limits={"hue": Limit(low=1.0)})
    assert codes(CaptureQuality(GOOD, None), rule) == []


def plain_appearance(limit: float) -> Appearance:
    rows = tuple(tuple(row) for row in np.eye(FEATURES).tolist())
    return Appearance(mean=(0.0,) * FEATURES, whitening=rows, limit=limit)


def test_photo_unlike_the_learnt_ones_is_told() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    distance = float(np.square(appearance_features(views(image))).sum())
    for limit, expected in ((distance * 0.99, ["unlike"]), (distance * 1.01, [])):
        rule = CaptureRule(appearance=plain_appearance(limit))
        quality = examine_photo(image, rule)
        assert quality.distance == pytest.approx(distance)
        assert codes(quality, rule) == expected


def test_distance_that_is_no_number_is_unlike() -> None:
    rule = CaptureRule(appearance=plain_appearance(5.0))
    assert codes(CaptureQuality(GOOD, float("nan")), rule) == ["unlike"]
