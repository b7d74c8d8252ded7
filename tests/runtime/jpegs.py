"""JPEG bytes with an EXIF block written by hand, and the images behind them."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]


def make_image(width: int, height: int, seed: int = 0) -> Image:
    """RGB: a different colour in each corner, with soft texture over it."""
    corners = np.array([[[220, 40, 40], [40, 200, 40]], [[40, 40, 220], [230, 210, 60]]], np.uint8)
    image = cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    noise = np.random.default_rng(seed).normal(0, 60, (height, width, 3)).astype(np.float32)
    return (image + cv2.GaussianBlur(noise, (0, 0), 3)).clip(0, 255).astype(np.uint8)


def encode(image: Image, suffix: str = ".jpg", *options: int) -> bytes:
    """Encoded bytes of an RGB (or grey, or RGBA) image."""
    stored = image
    if image.ndim == 3:
        code = cv2.COLOR_RGB2BGR if image.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
        stored = cv2.cvtColor(image, code)
    written, encoded = cv2.imencode(suffix, stored, list(options))
    assert written
    return encoded.tobytes()


def with_exif(jpeg: bytes, orientation: int, thumbnail: bytes = b"") -> bytes:
    """`jpeg` with an APP1 segment: the orientation in IFD0, a JPEG thumbnail in IFD1."""
    entry = struct.Struct("<HHII")
    after_first = 8 + 2 + 12 + 4
    first = struct.pack("<H", 1) + entry.pack(0x0112, 3, 1, orientation)
    first += struct.pack("<I", after_first if thumbnail else 0)
    second = b""
    if thumbnail:
        start = after_first + 2 + 2 * 12 + 4
        second = struct.pack("<H", 2) + entry.pack(0x0201, 4, 1, start)
        second += entry.pack(0x0202, 4, 1, len(thumbnail)) + bytes(4) + thumbnail
    body = b"Exif\0\0II*\0" + struct.pack("<I", 8) + first + second
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def as_stored(upright: Image, orientation: int) -> Image:
    """What a camera stores so that `orientation` turns it upright (EXIF 2.32, tag 274)."""
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }
    return np.ascontiguousarray(stored[orientation])
