"""One small real file for each kind of image that is read, as cameras and scanners write them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["HEIGHT", "WIDTH", "encode", "photo", "photos"]

WIDTH, HEIGHT = 57, 45  # odd, so that blocks and rows have padding

Image = NDArray[np.uint8]


def photo(seed: int = 0, width: int = WIDTH, height: int = HEIGHT) -> Image:
    """Skin with a dark spot, RGB uint8 [H, W, 3]."""
    rng = np.random.default_rng(seed)
    image = rng.normal((205, 160, 140), 6, (height, width, 3)).astype(np.float32)
    centre = (width // 2 + int(rng.integers(-4, 5)), height // 2 + int(rng.integers(-4, 5)))
    spot = tuple(float(value) for value in rng.integers(20, 130, 3))
    cv2.circle(image, centre, min(width, height) // 4, spot, -1)
    return cv2.GaussianBlur(image, (0, 0), 0.8).clip(0, 255).astype(np.uint8)


@cache
def photos() -> Mapping[str, bytes]:
    """Encoded files by name of their kind; a kind whose writer is not installed is left out."""
    return {**_by_opencv(), **_by_hand(), **_by_pillow(), **_by_pydicom()}


def encode(image: NDArray[Any], suffix: str, *options: int) -> bytes:
    """Encoded bytes of an RGB, RGBA or grey image; options are OpenCV's."""
    stored = image[..., [2, 1, 0, *range(3, image.shape[2])]] if image.ndim == 3 else image
    written, encoded = cv2.imencode(suffix, np.ascontiguousarray(stored), list(options))
    assert written
    return bytes(encoded.tobytes())


def _by_opencv() -> dict[str, bytes]:
    image = photo()
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    alpha = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
    deep = image.astype(np.uint16) * 257
    jpeg = encode(image, ".jpg", cv2.IMWRITE_JPEG_QUALITY, 80)
    return {
        "jpeg": jpeg,
        "jpeg-large": encode(photo(1, 400, 300), ".jpg", cv2.IMWRITE_JPEG_QUALITY, 60),
        "jpeg-progressive": encode(image, ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        "jpeg-restart": encode(image, ".jpg", cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
        "jpeg-grey": encode(grey, ".jpg"),
        "jpeg-rotated": with_orientation(jpeg, 6),
        "png": encode(image, ".png"),
        "png-16": encode(deep, ".png"),
        "png-alpha": encode(alpha, ".png"),
        "png-grey": encode(grey, ".png"),
        "bmp": encode(image, ".bmp"),
        "bmp-grey": encode(grey, ".bmp"),
        "webp-lossy": encode(image, ".webp", cv2.IMWRITE_WEBP_QUALITY, 70),
        "webp-lossless": encode(image, ".webp", cv2.IMWRITE_WEBP_QUALITY, 101),
        "webp-alpha": encode(alpha - _shade(), ".webp", cv2.IMWRITE_WEBP_QUALITY, 70),
        "tiff": encode(image, ".tif", cv2.IMWRITE_TIFF_COMPRESSION, 1),
        "tiff-lzw": encode(image, ".tif", cv2.IMWRITE_TIFF_COMPRESSION, 5),
        "tiff-deflate": encode(image, ".tif", cv2.IMWRITE_TIFF_COMPRESSION, 8),
        "tiff-16": encode(deep, ".tif"),
    }


def _shade() -> Image:
    """Takes a little of the opacity away where the image is RGBA: a writer drops a full one."""
    shade = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    shade[:4, :4, 3] = 9
    return shade


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """A JPEG with an EXIF block that says how it is turned (EXIF 2.32, tag 274)."""
    entry = struct.pack("<HHII", 0x0112, 3, 1, orientation)
    body = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk with its right checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png(width: int, height: int, colour: int, rows: bytes, *before: bytes, lace: int = 0) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, lace)
    pixels = png_chunk(b"IDAT", zlib.compress(rows))
    start = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header)
    return start + b"".join(before) + pixels + png_chunk(b"IEND", b"")


def _by_hand() -> dict[str, bytes]:
    image = photo()
    steps = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2))
    passes = [image[y::down, x::across] for x, y, across, down in (*steps, (0, 1, 1, 2))]
    laced = b"".join(b"\0" + row.tobytes() for part in passes for row in part)
    indices = image[..., 0] // 16
    rows = b"".join(b"\0" + row.tobytes() for row in indices)
    palette = png_chunk(b"PLTE", bytes(range(0, 256, 16)) * 3)
    return {
        "png-interlaced": _png(WIDTH, HEIGHT, 2, laced, lace=1),
        "png-palette": _png(WIDTH, HEIGHT, 3, rows, palette),
        "gif": b"GIF89a" + struct.pack("<HHBBB", 1, 1, 128, 0, 0) + bytes(6)
        + b",\0\0\0\0\1\0\1\0\0\2\2D\1\0;",
    }  # fmt: skip


def _by_pillow() -> dict[str, bytes]:
    try:
        from PIL import Image as Pillow
    except ImportError:
        return {}

    def save(mode: str, kind: str, **options: Any) -> bytes:
        buffer = io.BytesIO()
        Pillow.fromarray(photo()).convert(mode).save(buffer, kind, **options)
        return buffer.getvalue()

    return {
        "jpeg-cmyk": save("CMYK", "JPEG"),
        "jpeg-444": save("RGB", "JPEG", subsampling=0, quality=95),
        "tiff-packbits": save("RGB", "TIFF", compression="packbits"),
        "tiff-grey": save("L", "TIFF"),
        "tiff-jpeg": save("RGB", "TIFF", compression="jpeg"),
        "bmp-palette": save("P", "BMP"),
        "png-colour-key": save("RGB", "PNG", transparency=(1, 2, 3)),
    }


def _by_pydicom() -> dict[str, bytes]:
    try:
        import pydicom
    except ImportError:
        return {}
    from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit

    image = photo()[:44, :56]
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    deep = grey.astype(np.uint16) * 16
    encapsulated = pydicom.encaps.encapsulate([photos_jpeg(image)])
    return {
        "dicom-rgb": _dicom(ExplicitVRLittleEndian, image, image.tobytes(), "RGB"),
        "dicom-implicit": _dicom(ImplicitVRLittleEndian, image, image.tobytes(), "RGB"),
        "dicom-grey": _dicom(ExplicitVRLittleEndian, grey, grey.tobytes(), "MONOCHROME2"),
        "dicom-inverted": _dicom(ExplicitVRLittleEndian, grey, grey.tobytes(), "MONOCHROME1"),
        "dicom-12": _dicom(ExplicitVRLittleEndian, deep, deep.tobytes(), "MONOCHROME2"),
        "dicom-jpeg": _dicom(JPEGBaseline8Bit, image, encapsulated, "YBR_FULL_422"),
    }


def photos_jpeg(image: Image) -> bytes:
    """A JPEG of even length, as DICOM wants its fragments."""
    encoded = encode(image, ".jpg")
    return encoded + bytes(len(encoded) % 2)


def _dicom(syntax: Any, image: NDArray[Any], pixels: bytes, photometric: str) -> bytes:
    from pydicom.dataset import Dataset, FileMetaDataset

    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.4"
    data.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    data.SOPClassUID, data.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.77.1.4", "1.2.3.4"
    data.Rows, data.Columns = image.shape[:2]
    data.SamplesPerPixel = 3 if image.ndim == 3 else 1
    if image.ndim == 3:
        data.PlanarConfiguration = 0
    else:
        data.WindowCenter, data.WindowWidth = "2048", "4096"
    data.PhotometricInterpretation = photometric
    bits = 8 * image.dtype.itemsize
    data.BitsAllocated, data.BitsStored = bits, 12 if bits == 16 else 8
    data.HighBit, data.PixelRepresentation = data.BitsStored - 1, 0
    data.PixelData = pixels
    data["PixelData"].VR = "OW" if bits == 16 else "OB"
    data["PixelData"].is_undefined_length = syntax.is_encapsulated
    buffer = io.BytesIO()
    data.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
