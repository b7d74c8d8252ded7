"""The measures of a photo compared with the limits of its bundle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from edgekd.bundle.policy import CAPTURE_CODES, UNLIKE, Sentence
from edgekd.runtime.capture.appearance import appearance_distance, appearance_features
from edgekd.runtime.capture.measures import Measures, measures_of, views
from edgekd.runtime.reason import Reason

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgekd.bundle import CaptureRule

__all__ = ["CaptureQuality", "examine_photo", "problems"]

_SENTENCES_BEFORE_1_6 = {
    "blurred": Sentence(problem="the photo is blurred", remedy="hold still and focus"),
    "dark": Sentence(problem="the photo is too dark", remedy="switch the light on"),
    "bright": Sentence(problem="the photo is too bright", remedy="lower the exposure"),
    "glare": Sentence(problem="the photo has glare", remedy="tilt it, or use contact fluid"),
    "no-lesion": Sentence(
        problem="no lesion stands out from the skin", remedy="point at the lesion"
    ),
    "off-centre": Sentence(problem="the lesion is cut off or off centre", remedy="centre it"),
    UNLIKE: Sentence(
        problem="the photo looks like none that the network learnt", remedy="point at a lesion"
    ),
}
"""Sentences for bundles of a format before 1.6, which carry none and are for dermoscopy."""


@dataclass(frozen=True)
class CaptureQuality:
    """The measures of one photo.

    Attributes:
        measures: See `Measures`.
        distance: Squared distance of its appearance from the training images; None where the
            bundle does not describe them.
    """

    measures: Measures
    distance: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain types."""
        return asdict(self)


def examine_photo(image: NDArray[np.uint8], rule: CaptureRule) -> CaptureQuality:
    """Measure a square RGB image uint8 [S, S, 3], as the network gets it."""
    pictures, known = views(image), rule.appearance
    distance = None
    if known is not None:
        distance = float(appearance_distance(appearance_features(pictures), known))
    return CaptureQuality(measures_of(pictures), distance)


def problems(quality: CaptureQuality, rule: CaptureRule) -> tuple[Reason, ...]:
    """Why the photo should be taken again; empty where it need not."""
    return (*_out_of_limits(quality.measures, rule), *_unlike(quality.distance, rule))


def _out_of_limits(measures: Measures, rule: CaptureRule) -> Iterator[Reason]:
    values = measures.to_dict()
    for name, limit in rule.limits.items():
        if name not in values or name not in CAPTURE_CODES:  # a measure of a newer edgekd
            continue
        value, (low_code, high_code) = values[name], CAPTURE_CODES[name]
        if low_code and limit.low is not None and value < limit.low:
            yield _reason(rule, low_code, name, f"{value:.3g} is below {limit.low:.3g}")
        if high_code and limit.high is not None and value > limit.high:
            yield _reason(rule, high_code, name, f"{value:.3g} is above {limit.high:.3g}")


def _unlike(distance: float | None, rule: CaptureRule) -> Iterator[Reason]:
    appearance = rule.appearance
    if distance is not None and appearance is not None and not distance <= appearance.limit:
        yield _reason(rule, UNLIKE, "distance", f"{distance:.3g} is above {appearance.limit:.3g}")


def _reason(rule: CaptureRule, code: str, name: str, numbers: str) -> Reason:
    sentences = rule.sentences or _SENTENCES_BEFORE_1_6
    sentence = sentences.get(code, Sentence(problem=f"the photo is {code}", remedy="take another"))
    numbers = f"{name.replace('_', ' ')} {numbers}"
    return Reason(code, f"{sentence.problem} ({numbers}): {sentence.remedy}")
