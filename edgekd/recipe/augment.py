"""The section `augment`."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edgekd.recipe.section import Fraction, Section

__all__ = ["AugmentSection"]

_READ = {
    "light": frozenset({"flip", "quarter_turns", "zoom", "colour", "crop", "rotate", "erase"}),
    "dermoscopy": frozenset(),
    "trivial": frozenset({"flip", "quarter_turns", "crop", "erase"}),
}
"""Keys that a policy reads; what it does not read must not be set."""
_DRAWN = _READ["light"]


class AugmentSection(Section, frozen=True, kw_only=True):
    """Random changes of the training images.

    Attributes:
        margin: Training images are decoded at `margin` · S pixels, so that crops and turns have
            pixels to take from; what they give is S by S.
        policy: `light`, which the other keys set; `dermoscopy`, the fixed one of the SSD-KD paper
            (zoom, flips, turns, blur, dropout, brightness or hue); or `trivial`: for each image
            one change out of twelve, of uniformly drawn strength, beside `flip`, `quarter_turns`,
            `crop` and `erase`. They are those of TrivialAugment (Müller & Hutter 2021) that keep a
            dermoscopic diagnosis: no solarising, posterising or inverting, and since colour is
            diagnostic, it changes little.
        flip: Mirror left-right and top-bottom, each half of the time.
        quarter_turns: Turn by a random multiple of 90°.
        zoom: Scale by a factor in 1 ± zoom.
        colour: Brightness, contrast and saturation by factors in 1 ± colour.
        crop: Least share of the image's area that is cut out and enlarged to the input, with an
            aspect ratio of 3/4…4/3 (Szegedy et al. 2015); 1 cuts nothing out.
        rotate: Rotate by an angle in ± rotate degrees.
        erase: Share of the images in which noise replaces a rectangle of 2…40 % of the area
            (Zhong et al. 2020).
        mixup: α of Beta(α, α), from which the share of the first of two blended images is drawn
            (Zhang et al. 2018, who take 0.2 to 0.4); 0 blends none.
        cutmix: α of Beta(α, α), from which the share of an image is drawn that keeps its place when
            a rectangle of another is pasted (Yun et al. 2019, who take 1); 0 pastes none. With
            both, one of them is drawn for each batch.
    """

    margin: Annotated[float, Meta(ge=1.0, le=2.0)] = 1.0
    policy: Literal["light", "dermoscopy", "trivial"] = "light"
    flip: bool = True
    quarter_turns: bool = True
    zoom: Fraction = 0.0
    colour: Fraction = 0.1
    crop: Annotated[float, Meta(gt=0.0, le=1.0)] = 1.0
    rotate: Annotated[float, Meta(ge=0.0, le=180.0)] = 0.0
    erase: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0
    mixup: Annotated[float, Meta(ge=0.0)] = 0.0
    cutmix: Annotated[float, Meta(ge=0.0)] = 0.0

    def __post_init__(self) -> None:
        """Refuse keys that the policy does not read."""
        defaults = {f.name: f.default for f in msgspec.structs.fields(AugmentSection)}
        unread = [
            name for name in defaults
            if name in _DRAWN - _READ[self.policy] and getattr(self, name) != defaults[name]
        ]  # fmt: skip
        if not unread:
            return
        read = sorted(_READ[self.policy])
        further = f"no further keys but {', '.join(read)}" if read else "no further keys"
        raise ValueError(f"the policy {self.policy} takes {further}: it would not read {unread[0]}")

    @property
    def mixes(self) -> bool:
        """Whether images of a batch are mixed."""
        return bool(self.mixup or self.cutmix)

    def decoded_size(self, image_size: int) -> int:
        """M, the side in pixels at which training images are decoded, of S, the network's input."""
        return round(image_size * self.margin)
