"""A bundle's record of the data that it was made with: numbers of images, by part."""

from __future__ import annotations

import msgspec

__all__ = ["DataRecord", "PartRecord"]


class _Section(msgspec.Struct, frozen=True, kw_only=True):
    """Common base: immutable, by keyword, unknown fields of newer minor versions ignored."""


class PartRecord(_Section, frozen=True, kw_only=True):
    """The images of one part of the split, counted; it names no image and no patient.

    Attributes:
        images: Number of images.
        groups: Number of lesions or patients; equal to `images` where the data set names none.
        classes: Number of images that show each class or finding.
        attributes: Number of images by attribute (age, sex, body site, …) and value.
    """

    images: int
    groups: int
    classes: dict[str, int] = {}
    attributes: dict[str, dict[str, int]] = {}


class DataRecord(_Section, frozen=True, kw_only=True):
    """The data set of a bundle.

    Attributes:
        name: Its name.
        parts: The parts of its split that have images.
        unused: Number of images of the data set that are in no part.
    """

    name: str
    parts: dict[str, PartRecord]
    unused: int = 0

    @property
    def attributes(self) -> list[str]:
        """The names of all attributes."""
        return list(dict.fromkeys(name for part in self.parts.values() for name in part.attributes))
