"""The planes of a camera's frame (YUV 4:2:0), and the square that the network gets without a JPEG.

Python's runtime has no camera: `square_of_planes` is the rule for runtimes that have one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd.conformance.files import Folder
from edgekd.conformance.format import PlaneFile, PlanesCase, refusal_of
from edgekd.conformance.painting import Image, skin
from edgekd.errors import ImageError

__all__ = ["Frame", "Plane", "frame_of", "plane_cases", "square_of_planes"]

TURNS = (0, 90, 180, 270)
_HINT = "give the planes of a camera's YUV_420_888 frame as they are"


@dataclass(frozen=True)
class Plane:
    """One plane in memory: its bytes, and the distances of rows and of pixels in it."""

    content: bytes
    row_stride: int
    pixel_stride: int


@dataclass(frozen=True)
class Frame:
    """A frame: luma [H, W], and Cb and Cr [H / 2, W / 2], full range (JFIF, BT.601).

    Attributes:
        y: The luma.
        u: Cb.
        v: Cr.
        width: W in pixels, as stored.
        height: H in pixels, as stored.
        turn: Degrees clockwise by which it is turned to be upright.
    """

    y: Plane
    u: Plane
    v: Plane
    width: int
    height: int
    turn: int = 0


def square_of_planes(frame: Frame, size: int) -> NDArray[np.uint8]:
    """The square of a frame, RGB uint8 [S, S, 3].

    Each plane is cropped to the centre square, of even side at even places, and resized by area;
    then the small square is converted and turned.

    Raises:
        ImageError: A side is odd, a plane is shorter than its strides say, the turn is no quarter.
    """
    width, height = frame.width, frame.height
    if min(width, height) < 2 or width % 2 or height % 2:
        raise ImageError(f"the planes are {width} x {height}, not of even sides", _HINT)
    if frame.turn not in TURNS:
        raise ImageError(f"the turn is {frame.turn}, not 0, 90, 180 or 270 degrees", _HINT)
    side = min(width, height)
    left, top = (width - side) // 4, (height - side) // 4  # in pixels of the chroma
    luma = _pixels(frame.y, "Y", width, height)[2 * top :, 2 * left :][:side, :side]
    chroma = [
        _pixels(plane, name, width // 2, height // 2)[top:, left:][: side // 2, : side // 2]
        for name, plane in (("U", frame.u), ("V", frame.v))
    ]
    rgb = _rgb(_resized(luma, size), _resized(chroma[0], size), _resized(chroma[1], size))
    return np.ascontiguousarray(np.rot90(rgb, -frame.turn // 90))


def _resized(plane: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(plane, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def _pixels(plane: Plane, name: str, width: int, height: int) -> NDArray[np.uint8]:
    """The pixels of a plane, uint8 [height, width]."""
    row, pixel = plane.row_stride, plane.pixel_stride
    needed = (height - 1) * row + (width - 1) * pixel + 1
    if pixel < 1 or row < (width - 1) * pixel + 1 or len(plane.content) < needed:
        raise ImageError(
            f"the plane {name} has {len(plane.content)} bytes with strides {row} and {pixel}, "
            f"which is not {width} x {height}",
            _HINT,
        )
    flat = np.frombuffer(plane.content, np.uint8)
    view = np.lib.stride_tricks.as_strided(flat, (height, width), (row, pixel), writeable=False)
    return np.ascontiguousarray(view)


def _rgb(y: NDArray[np.uint8], u: NDArray[np.uint8], v: NDArray[np.uint8]) -> Image:
    """JFIF's conversion, in double precision, each product and sum rounded in this order."""
    luma, cb, cr = (
        plane.astype(np.float64) - shift for plane, shift in ((y, 0), (u, 128), (v, 128))
    )
    channels = (
        luma + 1.402 * cr,
        luma - 0.344136 * cb - 0.714136 * cr,
        luma + 1.772 * cb,
    )
    return np.stack([channel.round().clip(0, 255).astype(np.uint8) for channel in channels], -1)


def frame_of(image: Image, *, turn: int = 0, pixel_stride: int = 1, padding: int = 0) -> Frame:
    """The frame that a camera would give of an upright picture of even sides."""
    stored = np.rot90(image, turn // 90)
    height, width = stored.shape[:2]
    planes = np.asarray(cv2.cvtColor(np.ascontiguousarray(stored), cv2.COLOR_RGB2YCrCb), np.uint8)
    half = (width // 2, height // 2)
    chroma = np.asarray(cv2.resize(planes, half, interpolation=cv2.INTER_AREA), np.uint8)
    return Frame(
        _stored(planes[..., 0], 1, padding),
        _stored(chroma[..., 2], pixel_stride, padding),
        _stored(chroma[..., 1], pixel_stride, padding),
        width, height, turn,
    )  # fmt: skip


def _stored(pixels: NDArray[np.uint8], pixel_stride: int, padding: int) -> Plane:
    """A plane as it lies in memory, without what would follow its last pixel."""
    height, width = pixels.shape
    row = width * pixel_stride + padding
    memory = np.full((height, row), 99, np.uint8)
    memory[:, : width * pixel_stride : pixel_stride] = pixels
    length = (height - 1) * row + (width - 1) * pixel_stride + 1
    return Plane(memory.tobytes()[:length], row, pixel_stride)


def plane_cases(folder: Folder) -> Iterator[PlanesCase]:
    """Frames of every turn and layout, and those that are refused."""
    landscape, portrait = skin(640, 480, 5), skin(98, 132, 6)
    frames = {f"turned-{turn}": frame_of(landscape, turn=turn) for turn in TURNS}
    frames |= {
        "interleaved": frame_of(landscape, pixel_stride=2, padding=32),
        "portrait": frame_of(portrait, padding=7),
        "square-of-the-network": frame_of(skin(64, 64, 7)),
        "smaller-than-the-network": frame_of(skin(40, 30, 8)),
        "colours": frame_of(_colours()),
    }
    whole = frames["portrait"]
    frames |= {
        "odd-sides": Frame(whole.y, whole.u, whole.v, whole.width - 1, whole.height),
        "no-pixels": Frame(whole.y, whole.u, whole.v, 0, 0),
        "turned-45": Frame(whole.y, whole.u, whole.v, whole.width, whole.height, 45),
        "a-byte-short": Frame(_cut(whole.y), whole.u, whole.v, whole.width, whole.height),
        "chroma-short": Frame(whole.y, whole.u, _cut(whole.v), whole.width, whole.height),
        "rows-overlap": Frame(
            whole.y, Plane(whole.u.content, 3, 1), whole.v, whole.width, whole.height
        ),
        "no-stride": Frame(
            Plane(whole.y.content, whole.y.row_stride, 0), whole.u, whole.v,
            whole.width, whole.height,
        ),
    }  # fmt: skip
    for name, frame in frames.items():
        yield _case(folder, name, frame, 64)
    yield _case(folder, "interleaved", frames["interleaved"], 224)


def _cut(plane: Plane) -> Plane:
    return Plane(plane.content[:-1], plane.row_stride, plane.pixel_stride)


def _colours() -> Image:
    """Every corner of the cube of colours, so that clipping shows."""
    rng = np.random.default_rng(3)
    return (rng.integers(0, 2, (12, 12, 3)) * 255).astype(np.uint8).repeat(16, 0).repeat(16, 1)


def _case(folder: Folder, name: str, frame: Frame, size: int) -> PlanesCase:
    def stored(letter: str, plane: Plane) -> PlaneFile:
        return PlaneFile(
            file=folder.add(f"planes/{name}.{letter}", plane.content),
            row_stride=plane.row_stride,
            pixel_stride=plane.pixel_stride,
        )

    case = PlanesCase(
        id=f"{name}-at-{size}",
        y=stored("y", frame.y),
        u=stored("u", frame.u),
        v=stored("v", frame.v),
        width=frame.width,
        height=frame.height,
        turn=frame.turn,
        size=size,
    )
    try:
        square = square_of_planes(frame, size).tobytes()
    except ImageError as error:
        return msgspec.structs.replace(case, refused=refusal_of(error))
    place = folder.add(f"squares/planes-{case.id}", square)
    digest = hashlib.sha256(square).hexdigest()
    return msgspec.structs.replace(case, sha256=digest, square=place)
