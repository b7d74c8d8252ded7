"""Decoding of images; every check is made before the decoder uses memory or time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgekd.runtime.images.bmp import BMP_SIGNATURE, read_bmp
from edgekd.runtime.images.foreign import refusal
from edgekd.runtime.images.header import (
    MAX_BYTES,
    MAX_MEMORY,
    MAX_PIXELS,
    MAX_SCANNED_PIXELS,
    MAX_SCANS,
    ImageHeader,
    Unreadable,
    corrupt_image,
    damaged_image,
    truncated_image,
)
from edgekd.runtime.images.jpeg import JPEG_SIGNATURE, read_jpeg
from edgekd.runtime.images.jpeg_check import SPARE, check_scans
from edgekd.runtime.images.jpeg_scans import scans_of, without_tables
from edgekd.runtime.images.png import PNG_SIGNATURE, check_png, read_png
from edgekd.runtime.images.profile import ColourConversion, conversion_of, profile_in
from edgekd.runtime.images.tiff import TIFF_SIGNATURES, check_tiff, read_tiff
from edgekd.runtime.images.webp import is_webp, read_webp

__all__ = ["Picture", "decode", "read_header"]

_REDUCED = (
    (8, cv2.IMREAD_REDUCED_COLOR_8),
    (4, cv2.IMREAD_REDUCED_COLOR_4),
    (2, cv2.IMREAD_REDUCED_COLOR_2),
    (1, cv2.IMREAD_COLOR),
)


_DICOM = b"DICM"
"""Magic bytes of a DICOM file after its preamble of 128 bytes (PS3.10, 7.1)."""


@dataclass(frozen=True)
class Picture:
    """Decoded pixels, upright.

    Attributes:
        bgr: uint8 [H, W, 3] in OpenCV's order.
        conversion: Conversion of their colours to sRGB; None where they are sRGB or undeclared.
        header: Header of the JPEG that was decoded at the size `bgr` was made for; None of a kind
            that is decoded alike for every size.
        factor: How much smaller it was decoded.
    """

    bgr: NDArray[np.uint8]
    conversion: ColourConversion | None = None
    header: ImageHeader | None = None
    factor: int = 1

    def serves(self, size: int) -> bool:
        """Whether `decode` would give the same pixels for `size`."""
        return self.header is None or _scale(self.header, size)[0] == self.factor

    def rgb(self, bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """RGB pixels in sRGB of `bgr`, which is this picture, possibly cropped or resized."""
        rgb = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
        return rgb if self.conversion is None else self.conversion(rgb)


def decode(data: bytes, size: int) -> Picture:
    """The pixels, with at least 2·`size` of them on the shorter side where the image has them.

    Raises:
        Unreadable: It is damaged, too large, or of a kind that is not read.
        MissingDependencyError: It is DICOM and pydicom is not installed.
    """
    if len(data) > MAX_BYTES:
        raise Unreadable(f"has more than {MAX_BYTES} bytes", "save it as JPEG")
    if data[128:132] == _DICOM:
        return _from_dicom(data, size)
    header = read_header(data)
    bgr = _decoded(data, header, size)
    profile = profile_in(data, header.format)
    conversion = conversion_of(profile) if profile else None
    return Picture(bgr, conversion, header, _scale(header, size)[0])


def read_header(data: bytes) -> ImageHeader:
    """The header of an encoded image (not of DICOM), unchecked.

    Raises:
        Unreadable: It is of a kind that is not read, or damaged.
    """
    if data.startswith(JPEG_SIGNATURE):
        return read_jpeg(data)
    if data.startswith(PNG_SIGNATURE):
        return read_png(data)
    if is_webp(data):
        return read_webp(data)
    if data.startswith(TIFF_SIGNATURES):
        return read_tiff(data)
    if data.startswith(BMP_SIGNATURE):
        return read_bmp(data)
    raise refusal(data)


def _from_dicom(data: bytes, size: int) -> Picture:
    from edgekd.runtime.images import dicom  # here, since most devices never read DICOM

    frame = dicom.read_dicom(data)
    profile = frame.layout.profile
    conversion = conversion_of(profile) if profile else None
    if isinstance(frame, dicom.Pixels):
        return Picture(frame.bgr(), conversion)
    header = read_jpeg(frame.data)
    frame.check(header)
    # A frame is decoded as it is stored; EXIF data and a profile in its JPEG are ignored.
    bgr = _decoded(frame.data, header, size, cv2.IMREAD_IGNORE_ORIENTATION)
    factor, _ = _scale(header, size)
    return Picture(~bgr if frame.inverted else bgr, conversion, header, factor)


def _decoded(data: bytes, header: ImageHeader, size: int, flags: int = 0) -> NDArray[np.uint8]:
    if not header.complete:
        raise truncated_image(header.format)
    factor, scale = _scale(header, size)
    _refuse_cost(header, factor)
    if header.alpha and not _is_opaque(data):
        raise Unreadable(
            "is transparent in places, and what lies under them is not the photo",
            "save it without transparency",
        )
    if header.format == "tiff":
        check_tiff(data)
    if header.format == "png":
        check_png(data)
    if header.format == "webp":
        flags |= cv2.IMREAD_IGNORE_ORIENTATION  # other orientations are refused by `read_webp`
    flags |= scale
    bgr = _whole_jpeg(data, flags) if header.format == "jpeg" else _imdecode(data, flags)
    if bgr is None or bgr.dtype != np.uint8 or bgr.ndim != 3 or bgr.shape[2] != 3:
        raise damaged_image(header.format)
    return bgr.astype(np.uint8, copy=False)


def _whole_jpeg(data: bytes, flags: int) -> NDArray[np.integer[Any]] | None:
    """The pixels of a JPEG, if its compressed data are those of its picture.

    Where one long scan without restart markers holds the whole picture, the decoder itself reveals
    damage: without an end-of-image marker it returns nothing if data are missing. If it still
    returns a picture with a few bytes removed, there were surplus data (tested in grey at an eighth
    of the size). Other JPEGs, and short scans in which a few bytes matter more, are checked by
    `check_scans`, which is exact and slower.
    """
    first = next(scans_of(data))
    short = SHORT if len(first.members) > 1 else SHORT_GREY
    long = first.alone and not first.restarts and first.end - first.start > short
    if not (long and _detects_missing_data()):
        check_scans(data)
        return _imdecode(data, flags)
    if None in (*first.dc, *first.ac):
        raise without_tables()
    end = first.start + len(data[first.start : first.end].rstrip(b"\xff"))
    pixels = _imdecode(data[:end] + _FILLING, flags)
    fewer = data[: max(end - SPARE - 1, first.start)]
    if pixels is None or _imdecode(fewer, int(cv2.IMREAD_REDUCED_GRAYSCALE_8)) is not None:
        raise corrupt_image("jpeg")
    return pixels


SHORT = 2_000
"""Scans of at most this many bytes are always checked exactly: the decoder tolerates a few bits."""

SHORT_GREY = 100_000
"""The same for grey, whose coded units are single blocks: the decoder does not notice that two of
them are missing. An exact check of this many bytes takes some hundredths of a second."""

_FILLING = b"\xff\0" * 8
"""Bytes for the decoder to read ahead. If it decodes them, the ones are not a valid code."""


@cache
def _detects_missing_data() -> bool:
    """Whether this OpenCV returns nothing for a truncated JPEG; 4.7 fills the rest with grey."""
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    whole: bytes = cv2.imencode(".jpg", noise)[1].tobytes()
    return _imdecode(whole[:-200], int(cv2.IMREAD_COLOR)) is None


def _scale(header: ImageHeader, size: int) -> tuple[int, int]:
    """The strongest DCT scaling that still leaves 2·size pixels on the shorter side."""
    if header.format == "jpeg":
        for factor, flag in _REDUCED:
            if min(header.width, header.height) // factor >= 2 * size:
                return factor, int(flag)
    return 1, int(cv2.IMREAD_COLOR)


def _refuse_cost(header: ImageHeader, factor: int) -> None:
    size = f"{header.width}x{header.height} pixels"
    if header.pixels == 0:
        raise damaged_image(header.format)
    if header.pixels > MAX_PIXELS:
        raise Unreadable(f"has {size}, more than {MAX_PIXELS}", "scale it down first")
    if header.scans > MAX_SCANS or header.scans * header.pixels > MAX_SCANNED_PIXELS:
        reason = f"is a JPEG of {header.scans} scans, which would take too long to decode"
        raise Unreadable(reason, "save it as an ordinary (baseline) JPEG")
    if header.memory(factor) > MAX_MEMORY:
        hint = "scale it down first, or save it as an ordinary (baseline) JPEG"
        raise Unreadable(f"has {size}, too many for a {header.format} of its kind", hint)


def _is_opaque(data: bytes) -> bool:
    pixels = _imdecode(data, int(cv2.IMREAD_UNCHANGED))
    if pixels is None or pixels.ndim != 3 or pixels.shape[2] != 4:
        return True
    return bool(pixels[..., 3].min() == np.iinfo(pixels.dtype).max)


def _imdecode(data: bytes, flags: int) -> NDArray[np.integer[Any]] | None:
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags)  # type: ignore[return-value]
    except (cv2.error, MemoryError):
        return None
