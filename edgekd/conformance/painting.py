"""Photos made in code: skin with a lesion, in every encoding that devices write."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "LIKE_SRGB", "Image", "as_stored", "chunk", "encode", "exif", "inserted", "parametric",
    "profile", "skin", "tabled", "with_segment",
]  # fmt: skip

Image = NDArray[np.uint8]
"""RGB uint8 [H, W, 3]."""


def skin(width: int, height: int, seed: int = 0) -> Image:
    """Skin-coloured texture with a darker spot, off centre by a little, so that turns show.

    All arithmetic is on integers or exact in float32, so that it is the same everywhere.
    """
    rng = np.random.default_rng(seed)
    coarse = rng.integers(-14, 15, (height // 16 + 2, width // 16 + 2, 3)).astype(np.int16)
    texture = coarse.repeat(16, 0).repeat(16, 1)[:height, :width]
    fine = rng.integers(-6, 7, (height, width, 1)).astype(np.int16)
    down, across = np.mgrid[0:height, 0:width]
    side = min(width, height)
    away = (across - width * 9 // 20) ** 2 + (down - height * 11 // 20) ** 2
    spot = (away < (side * 7 // 40) ** 2)[..., None]
    colour = np.where(spot, np.array([110, 70, 60]), np.array([214, 168, 150]))
    return (colour + texture + fine).clip(0, 255).astype(np.uint8)


def encode(image: Image, suffix: str, *options: int) -> bytes:
    """Encoded bytes of an RGB or grey image."""
    stored = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    written, encoded = cv2.imencode(suffix, stored, list(options))
    if not written:
        raise RuntimeError(f"OpenCV writes no {suffix}")
    return encoded.tobytes()


def with_segment(jpeg: bytes, marker: int, body: bytes) -> bytes:
    """A JPEG with a further segment at its beginning."""
    return jpeg[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def exif(orientation: int) -> bytes:
    """The content of an APP1 segment with an orientation."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4)


def as_stored(upright: Image, orientation: int) -> Image:
    """The pixels that a camera stores so that `orientation` turns them upright (EXIF 2.32)."""
    turned = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.transpose(1, 0, 2), 6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2), 8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    return np.ascontiguousarray(turned)


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def inserted(png: bytes, *chunks: bytes) -> bytes:
    """A PNG with chunks after its header."""
    return png[:33] + b"".join(chunks) + png[33:]


_PRIMARIES = {
    "Display P3": ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189),
                   (0.15710, 0.06657, 0.78407)),
    "Adobe RGB": ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087),
                  (0.14919, 0.06322, 0.74457)),
    "sRGB": ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708),
             (0.14307, 0.06061, 0.71410)),
}  # fmt: skip
"""XYZ of red, green and blue, adapted to D50."""


def profile(primaries: str, curve: bytes, *, space: bytes = b"RGB ", named: bytes = b"") -> bytes:
    """An ICC profile of a display: a matrix with the same curve for its three channels."""
    tags = {b"cprt": b"text" + bytes(4) + named}
    columns = _PRIMARIES.get(primaries, ())
    for name, values in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=False):
        tags[name] = b"XYZ " + bytes(4) + _fixed(values)
    if columns:
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    head, body = b"", b""
    for name, content in tags.items():
        head += struct.pack(">4sII", name, 132 + 12 * len(tags) + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    size = 132 + len(head) + len(body)
    header = struct.pack(">I4sI4s4s4s", size, b"", 0x04000000, b"mntr", space, b"XYZ ")
    header = (header + bytes(12) + b"acsp").ljust(68, b"\0") + _fixed((0.9642, 1.0, 0.8249))
    header = header.ljust(128, b"\0")
    return header + struct.pack(">I", len(tags)) + head + body


def parametric(form: int, *values: float) -> bytes:
    """A curve by a formula (ICC.1, 10.18)."""
    return b"para" + bytes(4) + struct.pack(">HH", form, 0) + _fixed(values)


def tabled(*values: int) -> bytes:
    """A curve by a table (ICC.1, 10.6); of a single value, an exponent."""
    return b"curv" + bytes(4) + struct.pack(f">I{len(values)}H", len(values), *values)


def _fixed(values: Sequence[float]) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


LIKE_SRGB = parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
"""The curve of sRGB."""
