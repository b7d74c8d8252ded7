"""How an imported network is shown its images.

What the user says goes first, then what its file says, then what is usual for its architecture;
what nothing says is assumed, and reported as such.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from edgekd.errors import InputError
from edgekd.models.card import InputCard
from edgekd.models.foreign.base import InputShape
from edgekd.models.importing.own_rule import resized_side
from edgekd.models.importing.request import Preprocessing

__all__ = ["IMAGENET", "Settled", "settle", "usual_preprocessing"]

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and standard deviation of ImageNet's pixels, with which most networks are trained."""

_ASSUMED = Preprocessing(
    size=224, mean=IMAGENET[0], std=IMAGENET[1], resize="shorter-side", fraction=1.0,
    interpolation="bilinear", channels="RGB", layout="NCHW",
)  # fmt: skip
_FILTERS = {"nearest", "bilinear", "bicubic", "lanczos", "hamming"}


@dataclass(frozen=True)
class Settled:
    """A whole preprocessing.

    Attributes:
        size: S, the side of the square input in pixels.
        mean: Mean of each channel in RGB, of pixels scaled to 0…1.
        std: Standard deviation of each channel in RGB, of pixels scaled to 0…1.
        card: The rest of it.
        assumed: Names of what nothing said.
        origins: What said the rest.
    """

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    card: InputCard
    assumed: tuple[str, ...]
    origins: tuple[str, ...]

    def text(self) -> str:
        """One line for people."""
        card = self.card
        rule = f"{'both sides' if card.resize == 'squash' else 'shorter side'} to {self.resized}"
        order = card.channels if card.layout == "NCHW" else f"{card.channels}, {card.layout}"
        numbers = f"mean {_numbers(self.mean)}, std {_numbers(self.std)}"
        line = f"{self.size} px of the centre, {rule}, {card.interpolation}; {order}; {numbers}"
        if self.assumed:
            return f"{line} (assumed: {', '.join(self.assumed)})"
        return f"{line} ({', '.join(self.origins)})"

    @property
    def resized(self) -> int:
        """Side in pixels that images are resized to."""
        return resized_side(self.size, self.card)


def settle(known: Sequence[Preprocessing], shape: InputShape | None) -> Settled:
    """A whole preprocessing.

    Args:
        known: What is known, the weightiest first.
        shape: The images that a file of another program takes.

    Raises:
        InputError: The size or the layout is another one than that of the file.
    """
    _refuse_contradiction(known, shape)
    sources = [_of_shape(shape), *known] if shape else list(known)
    values: dict[str, Any] = {}
    assumed, origins = [], []
    for name in (field.name for field in fields(Preprocessing) if field.name != "origin"):
        source = next((each for each in sources if getattr(each, name) is not None), None)
        values[name] = getattr(source or _ASSUMED, name)
        if source is None:
            assumed.append(name)
        elif source.origin and source.origin not in origins:
            origins.append(source.origin)
    size, mean, std = values.pop("size"), values.pop("mean"), values.pop("std")
    return Settled(size, mean, std, InputCard(**values), tuple(assumed), tuple(origins))


def usual_preprocessing(arch: str) -> Preprocessing:
    """What is usual for an architecture: that of its pretrained weights in its library."""
    prefix, colon, name = arch.partition(":")
    if prefix == "torchvision" and colon:
        return _of_torchvision(name)
    if colon and prefix != "timm":
        return Preprocessing()
    return _of_timm(name if colon else arch)


def preprocessing_of_timm(config: dict[str, Any], origin: str) -> Preprocessing:
    """What a pretrained configuration of timm says."""
    squashes = config.get("crop_mode") == "squash"
    fraction = config.get("crop_pct")
    size = config.get("input_size")
    filtering = config.get("interpolation")
    return Preprocessing(
        size=int(size[-1]) if size else None,
        mean=_three(config.get("mean")),
        std=_three(config.get("std")),
        resize="squash" if squashes else "shorter-side",
        fraction=fraction,
        interpolation=filtering if filtering in _FILTERS else None,
        channels="RGB", layout="NCHW", origin=origin,
    )  # fmt: skip


def _of_timm(name: str) -> Preprocessing:
    from edgekd.models.libraries.timm_networks import timm

    config = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    if config is None or config.input_size is None:
        return Preprocessing()
    return preprocessing_of_timm(
        config.to_dict(),  # type: ignore[no-untyped-call]
        f"usual for timm's {name}",
    )


def _of_torchvision(name: str) -> Preprocessing:
    from torchvision import models

    preset: Any = models.get_model_weights(name).DEFAULT.transforms()
    size, wide = preset.crop_size[0], preset.resize_size[0]
    return Preprocessing(
        size=size, mean=_three(preset.mean), std=_three(preset.std), resize="shorter-side",
        fraction=size / wide, interpolation=preset.interpolation.value, channels="RGB",
        layout="NCHW", origin=f"usual for torchvision's {name}",
    )  # fmt: skip


def _of_shape(shape: InputShape) -> Preprocessing:
    return Preprocessing(size=shape.side, layout=shape.layout, origin="the file's input")


def _refuse_contradiction(known: Sequence[Preprocessing], shape: InputShape | None) -> None:
    side = next((each.size for each in known if each.size is not None), None)
    if shape and shape.side and side and side != shape.side:
        message = f"the file takes images of {shape.side} px alone, not of {side}"
        raise InputError(message, "leave --size out, or export it for another size")


def _three(values: Any) -> tuple[float, float, float] | None:
    """Three numbers, one for each channel, or one for all."""
    if values is None:
        return None
    numbers = [float(value) for value in values] if isinstance(values, list | tuple) else [values]
    first, second, third = numbers * 3 if len(numbers) == 1 else numbers
    return first, second, third


def _numbers(values: Sequence[float]) -> str:
    same = len(set(values)) == 1
    return "/".join(f"{value:.4g}" for value in (values[:1] if same else values))
