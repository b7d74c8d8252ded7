"""What a network in a file of another program offers."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from edgekd.errors import InputError

__all__ = ["ForeignNetwork", "InputShape", "image_shape"]

Side = int | None


@dataclass(frozen=True)
class InputShape:
    """The images that a network takes.

    Attributes:
        layout: Order of the dimensions.
        side: S in pixels; None where any will do.
        batch: Images of a pass; None where any number will do.
    """

    layout: Literal["NCHW", "NHWC"]
    side: int | None
    batch: int | None


class ForeignNetwork(nn.Module, ABC):
    """A network that gives outputs for images, and nothing else.

    A file with a fixed batch is run so many images at a time, the last ones repeated to fill it.

    Attributes:
        title: What it is, for people.
        shape: The images that it takes.
        file: Its file.
    """

    title: ClassVar[str]

    def __init__(self, shape: InputShape, file: Path) -> None:
        super().__init__()
        self.shape = shape
        self.file = file

    def save(self, target: Path) -> None:
        """Write the network to another file, as a whole."""
        shutil.copyfile(self.file, target)

    @abstractmethod
    def infer(self, images: Tensor) -> Tensor:
        """Outputs [B, …] of images float32 [B, …], as many as the file takes at a time."""

    def forward(self, images: Tensor) -> Tensor:
        """Outputs [B, …] of normalised images."""
        plain, batch = images.float(), self.shape.batch
        if batch is None:
            return self.infer(plain)
        return torch.cat([self._run(part, batch) for part in torch.split(plain, batch)])

    def _run(self, images: Tensor, batch: int) -> Tensor:
        missing = batch - len(images)
        if not missing:
            return self.infer(images)
        filled = torch.cat([images, images[-1:].expand(missing, *images.shape[1:])])
        return self.infer(filled)[: len(images)]


def image_shape(title: str, sizes: tuple[Side, ...]) -> InputShape:
    """The images of an input of some sizes, None standing for any.

    Raises:
        InputError: They are not those of one batch of square RGB images.
    """
    if len(sizes) == 4 and 3 in (sizes[1], sizes[3]):
        layout: Literal["NCHW", "NHWC"] = "NCHW" if sizes[1] == 3 else "NHWC"
        height, width = sizes[2:] if layout == "NCHW" else sizes[1:3]
        if height == width or None in (height, width):
            return InputShape(layout, height or width, sizes[0])
    shape = ", ".join("any" if size is None else str(size) for size in sizes)
    message = f"the network of {title} takes [{shape}], and not square RGB images"
    raise InputError(message, "export one that takes [N, 3, S, S] or [N, S, S, 3]")
