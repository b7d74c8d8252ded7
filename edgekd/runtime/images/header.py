"""The header common to all formats, its limits, and the errors that refuse an image."""

from __future__ import annotations

from dataclasses import dataclass

from edgekd.errors import ImageError

__all__ = [
    "MAX_BYTES",
    "MAX_MEMORY",
    "MAX_PIXELS",
    "MAX_SCANNED_PIXELS",
    "MAX_SCANS",
    "ImageHeader",
    "Unreadable",
    "corrupt_image",
    "damaged_image",
    "truncated_image",
]

MAX_BYTES = 150_000_000
"""Larger files are refused before they are read; a phone's 108-megapixel JPEG has about 40 MB."""

MAX_PIXELS = 200_000_000
"""Larger images are refused before they take memory."""

MAX_SCANS = 100
"""Most scans of a progressive JPEG; encoders write about 10."""

MAX_SCANNED_PIXELS = 1_500_000_000
"""Most scans times pixels; decoding them takes about 3 s on one core of a server."""

MAX_MEMORY = 400_000_000
"""Most bytes that a decoder may take; larger images are refused. The process then stays below 1 GB
with the file itself and a network."""


class Unreadable(Exception):  # noqa: N818 - a verdict on the image, reported to the user as ImageError
    """An image is refused.

    Args:
        reason: The rest of a sentence that begins with the image's name.
        hint: What to do about it.
    """

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint

    def error_for(self, name: str) -> ImageError:
        """The error for the user about the image called `name`."""
        return ImageError(f"{name} {self.reason}", self.hint)


def damaged_image(kind: str) -> Unreadable:
    """The error for an image whose bytes contradict its format."""
    return Unreadable(
        f"cannot be decoded as {kind}", "open it in an image viewer; replace it if it is damaged"
    )


def truncated_image(kind: str) -> Unreadable:
    """The error for an image whose end is missing."""
    return Unreadable(
        f"is truncated: the end of the {kind} is missing", "copy it again from its source"
    )


def corrupt_image(kind: str) -> Unreadable:
    """The error for an image whose compressed data do not match its header."""
    return Unreadable(
        f"is damaged: the {kind} data do not make up its picture", "copy it again from its source"
    )


@dataclass(frozen=True)
class ImageHeader:
    """The header of an encoded image.

    Attributes:
        format: `jpeg`, `png`, `bmp`, `webp`, `tiff`.
        width: Pixels, as stored (before EXIF orientation).
        height: Pixels, as stored.
        complete: False where the end of the image is missing.
        components: 1 (grey) or 3, without transparency.
        alpha: Whether there is a transparency channel; only opaque images are read.
        bytes_per_pixel: Memory of the decoder for each pixel of its output, at most. OpenCV holds
            the image twice (turned upright, or copied), hence 6 for three channels.
        overhead: Further bytes that the decoder takes regardless of the size of its output.
        scans: How often the decoder passes over the whole image.
    """

    format: str
    width: int
    height: int
    complete: bool = True
    components: int = 3
    alpha: bool = False
    bytes_per_pixel: int = 6
    overhead: int = 0
    scans: int = 1

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height

    def memory(self, factor: int = 1) -> int:
        """Bytes that decoding at 1/factor of the scale takes at most."""
        return self.overhead + self.bytes_per_pixel * self.pixels // factor**2
