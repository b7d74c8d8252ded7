"""A photo against the limits of its bundle."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from edgekd.runtime.capture.appearance import describe, unlikeness
from edgekd.runtime.capture.measures import Measures, measure, views
from edgekd.runtime.reason import Reason

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgekd.bundle import CaptureRule

__all__ = ["CaptureQuality", "examine", "problems"]

_TOO_LOW = {
    "sharpness": ("blurred", "the photo is blurred", "hold still and focus"),
    "brightness": ("dark", "the photo is too dark", "switch the light on"),
    "contrast": ("no-lesion", "no lesion stands out from the skin", "point at the lesion"),
}
_TOO_HIGH = {
    "brightness": ("bright", "the photo is too bright", "lower the exposure"),
    "glare": ("glare", "the photo has glare", "tilt it, or use contact fluid"),
    "off_centre": ("off-centre", "the lesion is cut off or off centre", "centre it"),
}


@dataclass(frozen=True)
class CaptureQuality:
    """What was found of a photo.

    Attributes:
        measures: See `Measures`.
        unlikeness: Squared distance of its looks from the learnt images'; None where the bundle
            does not know them.
    """

    measures: Measures
    unlikeness: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain types."""
        return asdict(self)


def examine(image: NDArray[np.uint8], rule: CaptureRule) -> CaptureQuality:
    """Measure a square RGB image uint8 [S, S, 3], as the network gets it."""
    seen, known = views(image), rule.appearance
    far = None if known is None else float(unlikeness(describe(seen), known))
    return CaptureQuality(measure(seen), far)


def problems(quality: CaptureQuality, rule: CaptureRule) -> tuple[Reason, ...]:
    """Why the photo should be taken again; empty where it need not."""
    found = quality.measures.to_dict()
    reasons = []
    for name, limit in rule.limits.items():
        value = found.get(name)
        if value is None:  # a measure of a newer edgekd
            continue
        if limit.low is not None and value < limit.low and name in _TOO_LOW:
            reasons.append(_reason(_TOO_LOW[name], name, f"{value:.3g} is below {limit.low:.3g}"))
        if limit.high is not None and value > limit.high and name in _TOO_HIGH:
            reasons.append(_reason(_TOO_HIGH[name], name, f"{value:.3g} is above {limit.high:.3g}"))
    far, known = quality.unlikeness, rule.appearance
    if far is not None and known is not None and not far <= known.limit:
        words = ("unlike", "the photo looks like none that the network learnt", "point at a lesion")
        reasons.append(_reason(words, "distance", f"{far:.3g} is above {known.limit:.3g}"))
    return tuple(reasons)


def _reason(words: tuple[str, str, str], name: str, numbers: str) -> Reason:
    code, what, remedy = words
    return Reason(code, f"{what} ({name.replace('_', ' ')} {numbers}): {remedy}")
