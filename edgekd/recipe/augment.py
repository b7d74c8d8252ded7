"""The section `augment`."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edgekd.recipe.section import Fraction, Section

__all__ = ["AugmentSection"]


class AugmentSection(Section, frozen=True, kw_only=True):
    """Random changes of the training images.

    Attributes:
        margin: Training images are decoded at `margin` · S pixels, so that crops and turns have
            pixels to take from; what they give is S by S.
        policy: `light`, which the other keys set; or `dermoscopy`, the fixed one of the SSD-KD
            paper (zoom, flips, turns, blur, dropout, brightness or hue).
        flip: Mirror left-right and top-bottom, each half of the time.
        quarter_turns: Turn by a random multiple of 90°.
        zoom: Scale by a factor in 1 ± zoom.
        colour: Brightness, contrast and saturation by factors in 1 ± colour.
    """

    margin: Annotated[float, Meta(ge=1.0, le=2.0)] = 1.0
    policy: Literal["light", "dermoscopy"] = "light"
    flip: bool = True
    quarter_turns: bool = True
    zoom: Fraction = 0.0
    colour: Fraction = 0.1

    def __post_init__(self) -> None:
        """Refuse keys that the policy does not read."""
        if self.policy == "light":
            return
        if msgspec.structs.replace(self, policy="light", margin=1.0) != AugmentSection():
            raise ValueError(f"the policy {self.policy} takes no further keys")

    def decoded_size(self, image_size: int) -> int:
        """M, the side in pixels at which training images are decoded, of S, the network's input."""
        return round(image_size * self.margin)
