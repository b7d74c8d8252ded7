"""Colour profiles: images in other colours than sRGB are converted to sRGB.

Phones write Display P3, cameras Adobe RGB; read as sRGB, both look paler than the skin.
Such a profile consists of a matrix and three curves, which are applied here. A profile that changes
no 8-bit colour by more than 2, such as the variants of sRGB, is ignored. A profile of lookup tables
(of a scanner or printer) is not supported: the image is refused, unless the profile is named sRGB.

Source: ICC.1:2022, sections 7 (header, tags), 8.3.3 (matrix and curves), 10.6, 10.18 and 10.31
(types of the tags); IEC 61966-2-1 for sRGB, with its primaries adapted to D50, as in ICC
profiles.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edgekd.runtime.images.bmp import bmp_profile
from edgekd.runtime.images.header import Unreadable
from edgekd.runtime.images.jpeg import leading_segments
from edgekd.runtime.images.png import png_chunk
from edgekd.runtime.images.tiff import tiff_profile
from edgekd.runtime.images.webp import webp_profile

__all__ = ["ColourConversion", "conversion_of", "profile_in"]

MAX_PROFILE = 4_000_000
"""Most bytes of an unpacked profile; matrix profiles have some hundred to some thousand."""

_ALIKE = 2  # largest difference in levels (of 255) at which a profile counts as sRGB
_AT_ONCE = 1 << 18  # pixels converted at once, which take some MB
_STEPS = 1 << 14  # of linear light, finer than 8-bit sRGB where its levels are densest
_SRGB = np.array(
    [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]]
)

Tags = Mapping[bytes, bytes]


@dataclass(frozen=True)
class ColourConversion:
    """Conversion of a profile's colours to sRGB.

    Attributes:
        linear: Linear light of each of the 256 levels, float32 [3, 256], red first.
        matrix: Maps the profile's linear light to that of sRGB, float32 [3, 3].
    """

    linear: NDArray[np.float32]
    matrix: NDArray[np.float32]

    def __call__(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The image in sRGB, uint8 [H, W, 3]."""
        converted = np.empty_like(rgb)
        rows = max(1, _AT_ONCE // rgb.shape[1])
        for row in range(0, len(rgb), rows):
            part = rgb[row : row + rows]
            light = np.stack([self.linear[c][part[..., c]] for c in range(3)], axis=-1)
            steps = np.clip(light @ self.matrix.T, 0.0, 1.0) * (_STEPS - 1)
            converted[row : row + rows] = _levels()[np.rint(steps).astype(np.uint16)]
        return converted


def profile_in(data: bytes, kind: str) -> bytes | None:
    """The ICC profile that an encoded image carries, or None.

    Args:
        data: The complete image.
        kind: Its format, as in `ImageHeader.format`.
    """
    readers: dict[str, Callable[[bytes], bytes | None]] = {
        "bmp": bmp_profile, "jpeg": _in_jpeg, "png": _in_png, "webp": webp_profile,
        "tiff": tiff_profile,
    }  # fmt: skip
    return readers[kind](data) if kind in readers else None


def _in_jpeg(data: bytes) -> bytes | None:
    """The profile, joined from its numbered parts in APP2 segments (ICC.1, annex B.4)."""
    start = b"ICC_PROFILE\0"
    parts: dict[int, bytes] = {}
    for segment in leading_segments(data):
        if segment.marker != 0xE2 or not data.startswith(start, segment.start):
            continue
        part = data[segment.start + 14 : segment.end]
        if part and parts.setdefault(data[segment.start + 12], part) != part:
            raise _not_read()
    if sorted(parts) != list(range(1, len(parts) + 1)):
        raise _not_read()
    return b"".join(parts[number] for number in sorted(parts)) or None


def _in_png(data: bytes) -> bytes | None:
    packed = png_chunk(data, b"iCCP")
    if packed is None:
        return None
    unpacker = zlib.decompressobj()
    try:
        return unpacker.decompress(packed[packed.index(b"\0") + 2 :], MAX_PROFILE)
    except (ValueError, zlib.error):
        raise _not_read() from None


def _not_read() -> Unreadable:
    return Unreadable(
        "has a colour profile that is not read", "convert it to sRGB in an image program"
    )


@lru_cache(maxsize=16)
def conversion_of(profile: bytes) -> ColourConversion | None:
    """The conversion from the colours of a profile to sRGB; None where they are sRGB, or grey.

    Raises:
        Unreadable: It is damaged, or is not a matrix with curves.
    """
    space = profile[16:20]
    if space == b"GRAY":
        return None
    try:
        if space != b"RGB ":
            raise ValueError("not of such pixels")
        conversion = _conversion(_tags(profile))
    except (struct.error, KeyError, ValueError, IndexError):
        if _names_srgb(profile):
            return None
        raise _not_read() from None
    return None if _is_srgb(conversion) else conversion


def _tags(profile: bytes) -> Tags:
    (count,) = struct.unpack_from(">I", profile, 128)
    if count > 100:
        raise ValueError("more tags than a profile has")
    entries = (struct.unpack_from(">4sII", profile, 132 + 12 * n) for n in range(count))
    return {name: profile[start : start + size] for name, start, size in entries}


def _conversion(tags: Tags) -> ColourConversion:
    primaries = np.stack([_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")], axis=1)
    curves = [_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC")]
    matrix = np.linalg.inv(_SRGB) @ primaries
    if not (np.isfinite(curves).all() and np.isfinite(matrix).all()):
        raise ValueError("not a number")
    return ColourConversion(np.stack(curves).astype(np.float32), matrix.astype(np.float32))


def _xyz(tag: bytes) -> NDArray[np.float64]:
    if tag[:4] != b"XYZ ":
        raise ValueError("no coordinates")
    return np.array(struct.unpack_from(">3i", tag, 8)) / 65536


def _curve(tag: bytes) -> NDArray[np.float64]:
    """Linear light [256] of the levels 0 … 255 by the curve of a tag."""
    level = np.arange(256) / 255
    if tag[:4] == b"para":
        return _parametric(tag, level)
    if tag[:4] != b"curv":
        raise ValueError("no curve")
    (count,) = struct.unpack_from(">I", tag, 8)
    if count == 0:
        return level
    values = np.array(struct.unpack_from(f">{count}H", tag, 12))
    if count == 1:
        return np.asarray(level ** (values[0] / 256))
    return np.interp(level, np.linspace(0, 1, count), values / 65535)


def _parametric(tag: bytes, level: NDArray[np.float64]) -> NDArray[np.float64]:
    (form,) = struct.unpack_from(">H", tag, 8)
    count = (1, 3, 4, 5, 7)[form]
    given = [value / 65536 for value in struct.unpack_from(f">{count}i", tag, 12)]
    g, a, b, c, d, e, f = [*given, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0][:7]
    if form == 0:
        return np.asarray(level**g)
    if form in (1, 2):  # the last number of form 2 is an offset
        c, d, e, f = 0.0, -b / a, c, c
    raised = np.clip(a * level + b, 0.0, None) ** g + e
    return np.asarray(np.where(level >= d, raised, c * level + f))


def _names_srgb(profile: bytes) -> bool:
    return b"sRGB" in profile or "sRGB".encode("utf-16-be") in profile


def _is_srgb(conversion: ColourConversion) -> bool:
    """Whether the conversion changes no colour of a grid by more than `_ALIKE` levels."""
    steps = np.linspace(0, 255, 18).astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    return bool(np.abs(conversion(grid).astype(int) - grid).max() <= _ALIKE)


@lru_cache(maxsize=1)
def _levels() -> NDArray[np.uint8]:
    """The sRGB level of each step of linear light."""
    light = np.linspace(0, 1, _STEPS)
    level = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(255 * level), np.uint8)
