"""Five measures of a photo: sharpness, brightness, glare, and contrast and position of a lesion.

All are measured on the square that the network gets, so that the rest of the photo does not count.
The limits are not in this module: they are fitted to validation images and stored in the bundle.
The policy chooses which measures get limits; `contrast` and `off_centre` make sense only for photos
of single lesions.

Thin dark marks (hair, a ruler's ticks) are removed by morphological closing before the lesion is
segmented, since they do not make a photo worse.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["MEASURES", "SIDE", "Measures", "Views", "measures_of", "opponent", "views"]

SIDE = 64
"""Side of the thumbnail in which colours and the lesion are measured."""

_DETAIL_SIDE = 128
_WHITE = 245
_CLOSING = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
_AXIS = np.arange(SIDE, dtype=np.float32) - (SIDE - 1) / 2
# Dermatoscopes show a disc; outside of it there may be a black rim.
_DISC = (_AXIS[:, None] ** 2 + _AXIS[None, :] ** 2 < (SIDE / 2 - 0.5) ** 2).astype(np.uint8)
_IN_DISC = _DISC.astype(bool)


@dataclass(frozen=True)
class Measures:
    """The measures of a photo.

    Attributes:
        sharpness: Mean fine detail, in grey levels: |mean over 3x3 − mean over 5x5| at a side of at
            most 128 pixels.
        brightness: Median luma of the disc, 0 (black) to 1 (white).
        glare: Share of the disc that is overexposed, 0 to 1.
        contrast: Distance of the lesion's mean colour from that of the rest, in 8-bit Y'CrCb units.
            It is small for plain skin.
        off_centre: Distance of the lesion's centre from that of the disc, in its radii. It is
            large where a lesion is cut off by the edge.
    """

    sharpness: float
    brightness: float
    glare: float
    contrast: float
    off_centre: float

    def to_dict(self) -> dict[str, float]:
        """The measures by name."""
        return asdict(self)


MEASURES = tuple(Measures.__dataclass_fields__)
"""Names of the measures."""


class Views(NamedTuple):
    """Two smaller versions of an image, from which all measures are computed.

    Attributes:
        tiny: RGB uint8 [64, 64, 3].
        grey: Luma uint8 [D, D], D at most 128, for detail.
    """

    tiny: NDArray[np.uint8]
    grey: NDArray[np.uint8]


def views(image: NDArray[np.uint8]) -> Views:
    """The views of a square RGB image uint8 [S, S, 3], as the network gets it."""
    side = min(image.shape[0], _DETAIL_SIDE)
    # Faster than area interpolation at these ratios, and bit-identical on every machine.
    detailed = cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR_EXACT)
    tiny = cv2.resize(detailed, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(detailed, cv2.COLOR_RGB2GRAY)
    return Views(np.asarray(tiny, np.uint8), np.asarray(grey, np.uint8))


def measures_of(pictures: Views) -> Measures:
    """The measures of an image, computed from its views."""
    closed = cv2.morphologyEx(pictures.tiny, cv2.MORPH_CLOSE, _CLOSING)
    colours = opponent(closed)
    contrast, off_centre = _lesion(closed, colours)
    return Measures(
        sharpness=_sharpness(pictures.grey),
        brightness=float(np.median(colours[..., 0][_IN_DISC])) / 255,
        glare=_glare(pictures.tiny),
        contrast=contrast,
        off_centre=off_centre,
    )


def opponent(image: Any) -> Any:
    """An RGB image in luma and two colour differences (Y'CrCb, ITU-R BT.601), uint8.

    Not CIELAB: its tables would cost each start 70 ms and 5 MB.
    """
    return cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb)


def _sharpness(grey: NDArray[np.uint8]) -> float:
    # The inner box filter removes sensor noise; the difference between the two is detail.
    return float(cv2.mean(cv2.absdiff(cv2.blur(grey, (3, 3)), cv2.blur(grey, (5, 5))))[0])


def _glare(tiny: NDArray[np.uint8]) -> float:
    red, green, blue = cv2.split(tiny)
    darkest = np.asarray(cv2.min(cv2.min(red, green), blue))
    return int(np.count_nonzero((darkest >= _WHITE) & _IN_DISC)) / int(_DISC.sum())


def _lesion(closed: Any, colours: Any) -> tuple[float, float]:
    """Contrast and position of the region darker in green than Otsu's threshold, within the disc.

    Green is used because melanin and blood both absorb it.

    Source: Otsu 1979, "A Threshold Selection Method from Gray-Level Histograms".
    """
    green = cv2.GaussianBlur(closed[..., 1], (0, 0), 1.5)
    level, _ = cv2.threshold(green[_IN_DISC].reshape(-1, 1), 0, 255, cv2.THRESH_OTSU)
    mask = ((green <= level) & _IN_DISC).astype(np.uint8)
    area = int(np.count_nonzero(mask))
    if area == 0 or area == int(_DISC.sum()):
        return 0.0, 0.0
    inside, outside = cv2.mean(colours, mask), cv2.mean(colours, _DISC - mask)
    contrast = float(np.linalg.norm(np.subtract(inside, outside)))
    across = float(_AXIS @ mask.sum(axis=0)) / area
    down = float(_AXIS @ mask.sum(axis=1)) / area
    return contrast, float(np.hypot(across, down)) / (SIDE / 2)
