"""Squares and their measures: sharp, blurred, dark, bright, with glare, of plain skin."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from edgekd.bundle import Appearance, CaptureRule, Limit, Sentence
from edgekd.conformance.files import Folder
from edgekd.conformance.format import CaptureCase, ReasonText
from edgekd.conformance.painting import Image, skin
from edgekd.runtime.capture import (
    FEATURES,
    appearance_features,
    examine_photo,
    problems,
    views,
)

__all__ = ["capture_cases", "capture_rule"]

SIDES = (32, 64, 96, 128, 224)


def capture_cases(folder: Folder) -> Iterator[CaptureCase]:
    """Every square by a rule with all limits, and some by the rules of earlier formats."""
    rule = capture_rule()
    for name, square in squares().items():
        yield _case(folder, name, square, rule)
    dark = squares()["dark"]
    yield _case(folder, "dark-without-sentences", dark, CaptureRule(limits=rule.limits))
    newer = CaptureRule(limits={"colour_cast": Limit(low=0.5), "brightness": Limit(low=0.9)})
    yield _case(folder, "a-measure-of-a-newer-edgekd", dark, newer)
    yield _case(folder, "no-limits", dark, CaptureRule())


def capture_rule() -> CaptureRule:
    """Limits that plain photos keep, with sentences of their own for some codes."""
    features = np.array([
        appearance_features(views(skin(96, 96, seed))) for seed in range(20, 60)
    ])  # fmt: skip
    spread = features.std(axis=0) + 0.05
    whitening = np.diag(1 / spread)
    whitening[0, 1] = 0.01  # not symmetric, so that a transposed matrix is noticed
    return CaptureRule(
        limits={
            "sharpness": Limit(low=1.0),
            "brightness": Limit(low=0.25, high=0.9),
            "glare": Limit(high=0.05),
            "contrast": Limit(low=8.0),
            "off_centre": Limit(high=0.5),
        },
        appearance=Appearance(
            mean=tuple(features.mean(axis=0).tolist()),
            whitening=tuple(tuple(row) for row in whitening.tolist()),
            limit=8.0 * FEATURES,
        ),
        coverage=0.95,
        images=40,
        sentences={
            "blurred": Sentence(problem="the photo is out of focus", remedy="hold still"),
            "unlike": Sentence(problem="this is no skin", remedy="point at the lesion"),
        },
    )


def squares() -> dict[str, Image]:
    """The squares by name."""
    made = {f"skin-{side}": skin(side, side, side) for side in SIDES}
    image = skin(96, 96, 3)
    made["blurred"] = np.asarray(cv2.GaussianBlur(image, (0, 0), 4), np.uint8)
    made["dark"] = (image // 8).astype(np.uint8)
    made["bright"] = (image // 4 + 191).astype(np.uint8)
    glare = image.copy()
    glare[30:60, 30:60] = 255
    made["glare"] = glare
    made["plain"] = np.full((64, 64, 3), (200, 150, 130), np.uint8)
    made["off-centre"] = np.roll(image, (40, 40), (0, 1))
    rng = np.random.default_rng(5)
    made["noise"] = rng.integers(0, 256, (80, 80, 3)).astype(np.uint8)
    made["green"] = (image[..., (1, 0, 2)] // 2).astype(np.uint8)
    made["black"] = np.zeros((40, 40, 3), np.uint8)
    return made


def _case(folder: Folder, name: str, square: Image, rule: CaptureRule) -> CaptureCase:
    quality = examine_photo(square, rule)
    return CaptureCase(
        id=name,
        square=folder.add(f"captures/{name}", square.tobytes()),
        size=square.shape[0],
        rule=rule,
        measures=quality.measures.to_dict(),
        features=tuple(appearance_features(views(square)).tolist()),
        distance=quality.distance,
        reasons=tuple(
            ReasonText(code=reason.code, text=reason.text) for reason in problems(quality, rule)
        ),
    )
