"""Predictions of each decision, with the limits of their photos, for the camera's tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgekd.bundle import CaptureRule, Limit
from edgekd.data.synthetic import paint
from edgekd.runtime import CaptureQuality, Measures, Prediction, Reason

Picture = NDArray[np.uint8]


RULE = CaptureRule(
    limits={
        "sharpness": Limit(low=1.5),
        "brightness": Limit(low=0.25, high=0.9),
        "glare": Limit(high=0.02),
        "contrast": Limit(low=8.0),
        "off_centre": Limit(high=0.5),
    }
)


GOOD = CaptureQuality(Measures(3.1, 0.62, 0.001, 21.0, 0.12), None)


BLURRED = CaptureQuality(Measures(0.6, 0.55, 0.0, 11.0, 0.7), None)


ANSWERED = Prediction(
    label="mel",
    probability=0.93,
    probabilities={"mel": 0.93, "nv": 0.05, "bkl": 0.02},
    decision="answer",
    reasons=(),
    conformal_set=("mel",),
    quality=GOOD,
    logits=(3.0, 1.0, 0.0),
    timings_ms={"preprocess": 4.0, "quality": 1.0, "model": 18.0},
)


REFERRED = replace(
    ANSWERED,
    decision="refer",
    reasons=(Reason("unsure", "the top probability 0.41 is below 0.62"),),
    conformal_set=("bkl", "mel"),
)


SPOILT = replace(
    ANSWERED,
    decision="retake",
    reasons=(
        Reason("blurred", "the photo is blurred (sharpness 0.6 is below 1.5): hold still"),
        Reason("unsure", "the top probability 0.41 is below 0.62"),
    ),
    quality=BLURRED,
)


ALL = [ANSWERED, REFERRED, SPOILT]


def photo(width: int = 320, height: int = 240) -> Picture:
    side = max(width, height)
    return np.ascontiguousarray(paint("mel", 5, side)[:height, :width, ::-1])
