"""Photos that are read, and those that are refused."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from edgekd.conformance.files import Folder
from edgekd.conformance.format import PhotoCase, refusal_of
from edgekd.conformance.painting import (
    LIKE_SRGB,
    as_stored,
    chunk,
    encode,
    exif,
    inserted,
    parametric,
    profile,
    skin,
    tabled,
    with_segment,
)
from edgekd.errors import ImageError
from edgekd.runtime.preprocess import load_image

__all__ = ["Photo", "all_photos", "photo_cases"]

_QUALITY, _PROGRESSIVE = cv2.IMWRITE_JPEG_QUALITY, cv2.IMWRITE_JPEG_PROGRESSIVE
_RESTARTS, _SAMPLING = cv2.IMWRITE_JPEG_RST_INTERVAL, cv2.IMWRITE_JPEG_SAMPLING_FACTOR


class Photo(NamedTuple):
    """An encoded photo, with the sizes that it is to be read at."""

    id: str
    content: bytes
    sizes: tuple[int, ...] = (32,)
    max_difference: int = 0
    needs: str = ""


def photo_cases(folder: Folder) -> Iterator[PhotoCase]:
    """Every photo at each of its sizes, as this runtime reads it."""
    for photo in all_photos():
        name = folder.add(f"photos/{photo.id}", photo.content)
        for size in photo.sizes:
            yield _case(folder, photo, name, size)


def _case(folder: Folder, photo: Photo, name: str, size: int) -> PhotoCase:
    case = f"{photo.id}-at-{size}"
    try:
        square = load_image(photo.content, size).tobytes()
    except ImageError as error:
        return PhotoCase(
            id=case, photo=name, size=size, needs=photo.needs, refused=refusal_of(error)
        )
    return PhotoCase(
        id=case,
        photo=name,
        size=size,
        sha256=hashlib.sha256(square).hexdigest(),
        square=folder.add(f"squares/{case}", square),
        max_difference=photo.max_difference,
        needs=photo.needs,
    )


def all_photos() -> Iterator[Photo]:
    """All photos."""
    yield from _jpegs()
    yield from _damaged_jpegs()
    yield from _pngs()
    yield from _webps()
    yield from _other_formats()
    yield from _coloured()


def _jpegs() -> Iterator[Photo]:
    """Baseline and progressive, every sampling, turn and scale; 12 megapixels among them."""
    for width, height in ((64, 48), (131, 97), (97, 131), (33, 32), (600, 450)):
        image = skin(width, height, width)
        yield Photo(f"baseline-{width}x{height}.jpg", encode(image, ".jpg"), (32, 57))
    image = skin(200, 150, 1)
    yield Photo("progressive.jpg", encode(image, ".jpg", _PROGRESSIVE, 1), (32, 100))
    yield Photo("restarts.jpg", encode(image, ".jpg", _RESTARTS, 4))
    yield Photo("grey.jpg", encode(image[..., 1].copy(), ".jpg"))
    for name, factor in (("444", 0x111111), ("422", 0x211111), ("411", 0x411111)):
        yield Photo(f"sampling-{name}.jpg", encode(image, ".jpg", _SAMPLING, factor))
    yield Photo("quality-20.jpg", encode(image, ".jpg", _QUALITY, 20))
    for turn in range(1, 9):
        turned = encode(as_stored(image, turn), ".jpg")
        yield Photo(f"turned-{turn}.jpg", with_segment(turned, 0xE1, exif(turn)))
    # Two pixels on each side of a DCT scale's limit: 2 S times 2 and 4.
    for side in (127, 128, 129, 255, 256, 257, 511, 512, 513):
        yield Photo(f"scale-{side}.jpg", encode(skin(side, side + 3, side), ".jpg"))
    large = skin(4000, 3000, 2)
    yield Photo("12-megapixels.jpg", encode(large, ".jpg", _QUALITY, 85), (32, 224))
    yield Photo("1-megapixel-progressive.jpg", encode(large[:900, :1200], ".jpg", _PROGRESSIVE, 1))


def _damaged_jpegs() -> Iterator[Photo]:
    jpeg = encode(skin(200, 150, 3), ".jpg")
    middle = len(jpeg) * 2 // 3
    yield Photo("truncated.jpg", jpeg[:middle])
    yield Photo("hole.jpg", jpeg[:middle] + jpeg[middle + 300 :])
    yield Photo("no-end.jpg", jpeg[:-2])
    large = encode(skin(2400, 1800, 7), ".jpg", _QUALITY, 97)
    yield Photo("large-hole.jpg", large[: len(large) // 2] + large[len(large) // 2 + 500 :])
    yield Photo("large-no-tables.jpg", jpeg.replace(b"\xff\xc4", b"\xff\xfe"))
    yield Photo("surplus.jpg", jpeg[:-2] + jpeg[middle:])
    small = encode(skin(64, 48, 4), ".jpg", _QUALITY, 30)
    yield Photo("small-hole.jpg", small[:-60] + small[-40:])
    progressive = encode(skin(120, 90, 5), ".jpg", _PROGRESSIVE, 1)
    cut = len(progressive) * 3 // 4
    yield Photo("progressive-hole.jpg", progressive[:cut] + progressive[cut + 40 :])
    restarts = encode(skin(120, 90, 6), ".jpg", _RESTARTS, 2)
    lost = restarts.index(b"\xff\xd3")
    yield Photo("restart-lost.jpg", restarts[:lost] + restarts[lost + 2 :])
    yield Photo("cmyk.jpg", _jpeg_header(components=4))
    yield Photo("12-bit.jpg", _jpeg_header(precision=12))
    yield Photo("lossless.jpg", _jpeg_header(marker=0xC3))
    yield Photo("arithmetic.jpg", _jpeg_header(marker=0xC9))
    yield Photo("two-channels.jpg", _jpeg_header(components=2))
    yield Photo("no-tables.jpg", _jpeg_header())
    yield Photo("oversized.jpg", _jpeg_header(width=20_000, height=20_000))
    yield Photo("not-a-marker.jpg", jpeg[:2] + b"\xff\x02" + jpeg[4:])


def _jpeg_header(
    *,
    marker: int = 0xC0,
    precision: int = 8,
    width: int = 64,
    height: int = 48,
    components: int = 3,
) -> bytes:
    """A JPEG whose frame header is refused before its picture matters."""
    frame = struct.pack(">BHHB", precision, height, width, components)
    frame += b"".join(bytes([n + 1, 0x11, 0]) for n in range(components))
    scan = (
        bytes([components]) + b"".join(bytes([n + 1, 0]) for n in range(components)) + b"\0\x3f\0"
    )
    return b"\xff\xd8" + b"".join((_segment(marker, frame), _segment(0xDA, scan))) + b"\0\xff\xd9"


def _segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def _pngs() -> Iterator[Photo]:
    image = skin(131, 97, 7)
    png = encode(image, ".png")
    yield Photo("rgb.png", png, (32, 97, 200))
    yield Photo("grey.png", encode(image[..., 1].copy(), ".png"))
    yield Photo("16-bit.png", _written((image.astype(np.uint16) * 257)[..., ::-1]))
    opaque = np.dstack([image[..., ::-1], np.full(image.shape[:2], 255, np.uint8)])
    yield Photo("opaque.png", _written(opaque))
    opaque[5, 7, 3] = 254
    yield Photo("transparent.png", _written(opaque))
    yield Photo("truncated.png", png[: len(png) // 2])
    yield Photo("animated.png", inserted(png, chunk(b"acTL", struct.pack(">II", 2, 0))))
    yield Photo("surplus.png", _png(8, 8, bytes(25 * 9)))
    yield Photo("too-few-rows.png", _png(8, 8, bytes(25 * 7)))
    yield Photo("oversized.png", _png(20_000, 20_000, b""))
    yield Photo("other-gamma.png", inserted(png, chunk(b"gAMA", struct.pack(">I", 100_000))))
    yield Photo("srgb-gamma.png", inserted(png, chunk(b"gAMA", struct.pack(">I", 45_455))))
    yield Photo("transparent-colour.png", inserted(png, chunk(b"tRNS", bytes(6))))
    yield Photo("much-text.png", inserted(png, *[chunk(b"zTXt", b"a\0\0")] * 40))
    yield Photo("end-damaged.png", png[:-1] + b"\0")
    yield Photo("exif-of-no-order.png", inserted(png, chunk(b"eXIf", bytes(6))))
    yield Photo("no-header.png", png[:8] + chunk(b"IDAT", b""))


def _written(bgr: NDArray[Any]) -> bytes:
    written, encoded = cv2.imencode(".png", bgr)
    assert written
    return encoded.tobytes()


def _png(width: int, height: int, rows: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def _webps() -> Iterator[Photo]:
    image = skin(131, 97, 8)
    lossless = encode(image, ".webp", cv2.IMWRITE_WEBP_QUALITY, 101)
    yield Photo("lossless.webp", lossless)
    lossy = encode(image, ".webp", cv2.IMWRITE_WEBP_QUALITY, 80)
    yield Photo("lossy.webp", lossy)
    yield Photo("truncated.webp", lossy[: len(lossy) // 2])
    canvas = (image.shape[1] - 1).to_bytes(3, "little") + (image.shape[0] - 1).to_bytes(3, "little")
    yield Photo("animated.webp", _webp((b"VP8X", bytes([2, 0, 0, 0]) + canvas), lossy[12:]))
    turned = (b"EXIF", exif(6)[6:])
    yield Photo("turned.webp", _webp((b"VP8X", bytes([8, 0, 0, 0]) + canvas), lossy[12:], turned))


def _webp(*chunks: tuple[bytes, bytes] | bytes) -> bytes:
    """A WebP of chunks, each with its kind or as it stands."""
    body = b"WEBP"
    for each in chunks:
        if isinstance(each, bytes):
            body += each
        else:
            kind, content = each
            body += kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _other_formats() -> Iterator[Photo]:
    """BMP, TIFF, and what is no photo."""
    image = skin(70, 50, 9)
    bmp = encode(image, ".bmp")
    yield Photo("rgb.bmp", bmp)
    yield Photo("truncated.bmp", bmp[:-9])
    yield Photo("rare.bmp", bmp[:28] + struct.pack("<H", 16) + bmp[30:])
    yield Photo("rgb.tiff", encode(image, ".tiff"), needs="tiff")
    yield Photo("big.tiff", b"II+\0" + bytes(40), needs="tiff")
    yield Photo("empty", b"")
    yield Photo("text", b"a picture of a mole")
    yield Photo("animation.gif", b"GIF89a" + bytes(20))
    yield Photo("photo.heic", b"\0\0\0\x18ftypheic" + bytes(20))
    yield Photo("photo.avif", b"\0\0\0\x18ftypavif" + bytes(20))
    yield Photo("film.mp4", b"\0\0\0\x18ftypisom" + bytes(20))
    yield Photo("document.pdf", b"%PDF-1.7\n")
    yield Photo("page.html", b"  <!DOCTYPE html><p>")
    yield Photo("archive.zip", b"PK\x03\x04" + bytes(30))


def _coloured() -> Iterator[Photo]:
    """Photos in other colours than sRGB; the last bits of their conversion are the machine's."""
    image = skin(96, 80, 10)
    png, jpeg = encode(image, ".png"), encode(image, ".jpg", _QUALITY, 95)
    gamma = tabled(0x0233)
    profiles = {
        "display-p3": (profile("Display P3", LIKE_SRGB), 1),
        "adobe-rgb": (profile("Adobe RGB", gamma), 1),
        "table": (profile("Display P3", tabled(*(n * n // 16 for n in range(1024)))), 1),
        "linear": (profile("sRGB", tabled()), 1),
        "exponent": (profile("sRGB", parametric(0, 1.8)), 1),
        "form-1": (profile("Display P3", parametric(1, 2.2, 0.95, 0.05)), 1),
        "form-2": (profile("Display P3", parametric(2, 2.2, 0.9, 0.05, 0.04)), 1),
        "form-4": (
            profile("Display P3", parametric(4, 2.4, 0.9, 0.08, 0.07, 0.05, 0.01, 0.001)),
            1,
        ),
        "srgb": (profile("sRGB", LIKE_SRGB), 0),
        "grey": (profile("", b"", space=b"GRAY"), 0),
        "tables-named-srgb": (profile("", b"", named=b"sRGB"), 0),
        "tables": (profile("", b""), 0),
        "cut": (profile("Display P3", LIKE_SRGB)[:150], 0),
    }
    for name, (icc, difference) in profiles.items():
        packed = chunk(b"iCCP", b"x\0\0" + zlib.compress(icc))
        yield Photo(f"profile-{name}.png", inserted(png, packed), max_difference=difference)
    icc = profiles["display-p3"][0]
    for parts in (1, 3):
        yield Photo(f"display-p3-in-{parts}.jpg", _in_jpeg(jpeg, icc, parts), max_difference=1)
    yield Photo("profile-part-lost.jpg", _in_jpeg(jpeg, icc, 3, without=2))


def _in_jpeg(jpeg: bytes, icc: bytes, parts: int, *, without: int = 0) -> bytes:
    step = -(-len(icc) // parts)
    for part in range(parts, 0, -1):
        if part != without:
            piece = icc[(part - 1) * step : part * step]
            jpeg = with_segment(jpeg, 0xE2, b"ICC_PROFILE\0" + bytes([part, parts]) + piece)
    return jpeg
