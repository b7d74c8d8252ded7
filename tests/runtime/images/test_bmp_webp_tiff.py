"""BMP, WebP, TIFF: the usual kinds, with their size known before anything is decoded."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest
from jpegs import Image, as_stored, encode, make_image
from pictures import by_pillow, distance, refusal, tiff

from edgekd.runtime.images.decoding import read_header
from edgekd.runtime.preprocess import load_image

IMAGE = make_image(50, 30)
EXPECTED = load_image(IMAGE, 24)
LOSSLESS = encode(IMAGE, ".webp", cv2.IMWRITE_WEBP_QUALITY, 101)
OPAQUE = np.dstack([IMAGE, np.full(IMAGE.shape[:2], 255, np.uint8)])
HOLE = OPAQUE.copy()
HOLE[3, 4, 3] = 254


@pytest.mark.parametrize(
    "data",
    [encode(IMAGE, ".bmp"), LOSSLESS, encode(IMAGE, ".webp"), encode(IMAGE, ".tiff"), tiff(IMAGE)],
)
def test_size_is_known_before_decoding_and_every_cut_is_refused(data: bytes) -> None:
    header = read_header(data)
    assert (header.width, header.height, header.complete) == (50, 30, True)
    for cut in (*range(4, len(data) - 1, 41), len(data) - 1):
        if (data.startswith(b"RIFF") and cut >= 12) or not data.startswith(b"RIFF"):
            assert "truncated" in refusal(data[:cut]).message, cut


def bmp(image: Image, **changes: int) -> bytes:
    """`image` as OpenCV writes it, with header fields changed."""
    places = {"width": (18, "<i"),
              "height": (22, "<i"), "bits": (28, "<H"), "compression": (30, "<I"),
              "planes": (26, "<H"), "size": (14, "<I"), "offset": (10, "<I")}  # fmt: skip
    data = bytearray(encode(image, ".bmp"))
    for name, value in changes.items():
        struct.pack_into(places[name][1], data, places[name][0], value)
    return bytes(data)


def test_bmp_kinds() -> None:
    np.testing.assert_array_equal(load_image(bmp(IMAGE), 24), EXPECTED)
    np.testing.assert_array_equal(load_image(bmp(IMAGE[::-1].copy(), height=-30), 24), EXPECTED)
    assert distance(load_image(by_pillow(IMAGE, "BMP", "P"), 24), EXPECTED) < 20


@pytest.mark.parametrize(
    "change", [{"bits": 4}, {"bits": 16}, {"compression": 1}, {"compression": 3}, {"size": 12}]
)
def test_rare_bmp_is_refused(change: dict[str, int]) -> None:
    assert refusal(bmp(IMAGE, **change)).message == "the image is a BMP of a rare kind"


@pytest.mark.parametrize("change", [{"planes": 3}, {"width": -50}, {"width": 0}, {"offset": 0}])
def test_damaged_bmp_is_refused(change: dict[str, int]) -> None:
    assert "cannot be decoded as bmp" in refusal(bmp(IMAGE, **change)).message


def test_webp_kinds() -> None:
    np.testing.assert_array_equal(load_image(LOSSLESS, 24), EXPECTED)
    assert (
        distance(load_image(encode(IMAGE, ".webp", cv2.IMWRITE_WEBP_QUALITY, 90), 24), EXPECTED) < 5
    )


@pytest.mark.parametrize("lossless", [True, False])
def test_webp_transparency(lossless: bool) -> None:
    hole = by_pillow(HOLE if lossless else HOLE // 2, "WEBP", "RGBA", lossless=lossless, exact=True)
    assert "is not the photo" in refusal(hole).message
    quality = 101 if lossless else 90
    opaque = encode(OPAQUE, ".webp", cv2.IMWRITE_WEBP_QUALITY, quality)
    assert distance(load_image(opaque, 24), EXPECTED) < 5


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_webp_that_is_not_upright_is_refused(orientation: int) -> None:
    exif = pytest.importorskip("PIL.Image").Exif()
    exif[0x0112] = orientation
    data = by_pillow(as_stored(IMAGE, orientation), "WEBP", exif=exif, lossless=True)
    assert b"EXIF" in data
    if orientation == 1:
        np.testing.assert_array_equal(load_image(data, 24), EXPECTED)
    else:
        assert refusal(data).message == "the image is a WebP that is not stored upright"


@pytest.mark.parametrize(
    "damage", [b"", b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff"]
)
def test_webp_with_damaged_exif_is_taken_as_upright(damage: bytes) -> None:
    flags = b"VP8X" + struct.pack("<I", 10) + b"\x08\0\0\0" + bytes([49, 0, 0, 29, 0, 0])
    body = damage.ljust(20, b"\0")
    chunks = b"WEBP" + flags + LOSSLESS[12:] + b"EXIF" + struct.pack("<I", len(body)) + body
    data = b"RIFF" + struct.pack("<I", len(chunks)) + chunks
    np.testing.assert_array_equal(load_image(data, 24), EXPECTED)


def test_webp_animation_is_refused() -> None:
    second = pytest.importorskip("PIL.Image").fromarray(255 - IMAGE)
    animated = by_pillow(IMAGE, "WEBP", save_all=True, append_images=[second], lossless=True)
    assert refusal(animated).message == "the image is an animated WebP"


def test_webp_canvas_of_another_size_is_refused() -> None:
    exif = pytest.importorskip("PIL.Image").Exif()
    exif[0x0112] = 1
    data = bytearray(by_pillow(IMAGE, "WEBP", exif=exif, lossless=True))
    data[24:27] = (9999).to_bytes(3, "little")
    assert "cannot be decoded as webp" in refusal(bytes(data)).message


def test_webp_of_chunks_alone_is_refused() -> None:
    chunks = b"ABCD\0\0\0\0" * 1_000_000
    data = b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks
    assert "cannot be decoded as webp" in refusal(data).message


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("tile", [0, 32, 64])
def test_tiff_in_strips_and_tiles(order: str, tile: int) -> None:
    np.testing.assert_array_equal(load_image(tiff(IMAGE, order, tile=tile), 24), EXPECTED)


@pytest.mark.parametrize("compression", [1, 5, 8, 32946])
def test_tiff_compressions(compression: int) -> None:
    data = encode(IMAGE, ".tiff", cv2.IMWRITE_TIFF_COMPRESSION, compression)
    np.testing.assert_array_equal(load_image(data, 24), EXPECTED)


def test_tiff_packbits_and_grey_and_orientation() -> None:
    packed = by_pillow(IMAGE, "TIFF", compression="packbits")
    np.testing.assert_array_equal(load_image(packed, 24), EXPECTED)
    grey = load_image(by_pillow(IMAGE[..., 1], "TIFF", "L"), 24)
    np.testing.assert_array_equal(grey, load_image(np.dstack([IMAGE[..., 1]] * 3), 24))
    turned = by_pillow(as_stored(IMAGE, 6), "TIFF", tiffinfo={274: 6})
    np.testing.assert_array_equal(load_image(turned, 24), EXPECTED)


def test_16_bit_tiff_is_scaled() -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (24, 24, 3)).astype(np.uint16)
    loaded = load_image(encode(deep, ".tiff"), 24)  # type: ignore[arg-type]
    assert np.abs(loaded - deep / 257).max() <= 1


@pytest.mark.parametrize(
    ("change", "words"),
    [({"following": 8}, "of several pages"), ({"t259": [7]}, "compression that is not read"),
     ({"t259": [4]}, "compression that is not read"), ({"t284": [2]}, "channels lie apart"),
     ({"t339": [3, 3, 3]}, "signed or floating"),
     ({"t262": [3], "t277": [1]}, "neither plain grey"),
     ({"t262": [5]}, "neither plain grey"), ({"t277": [4], "t258": [8] * 4}, "neither plain grey"),
     ({"t258": [32] * 3}, "neither 8 nor 16 bits"), ({"t258": [8]}, "neither 8 nor 16 bits"),
     ({"t330": [8]}, "other pictures inside"), ({"t50706": [1]}, "camera's raw photo"),
     ({"t262": [32803]}, "camera's raw photo"), ({"t258": [8, 8, 16]}, "cannot be decoded"),
     ({"t273": [8, 9]}, "truncated"), ({"t279": [10**6]}, "truncated"),
     ({"t256": [0]}, "cannot be")],
)  # fmt: skip
def test_other_kinds_of_tiff_are_refused(change: dict[str, list[int]], words: str) -> None:
    assert words in refusal(tiff(IMAGE, **change)).message


def test_tiles_of_absurd_size_are_refused() -> None:
    huge = tiff(IMAGE, tile=16, t322=[1 << 20], t323=[1 << 20])
    assert "tiles of a rare size" in refusal(huge).message


def test_big_tiff_is_refused() -> None:
    assert refusal(b"II+\0\x08\0\0\0" + bytes(100)).message == "the image is a BigTIFF"


def test_tables_that_claim_the_whole_file_take_no_memory() -> None:
    """Each field was once copied as 64-bit numbers: sixty thousand of them, a gigabyte each."""
    entry = struct.pack("<HHII", 273, 1, 20_000_000, 16) + struct.pack(
        "<HHII", 999, 1, 2 * 10**7, 16
    )
    data = b"II*\0\x08\0\0\0" + struct.pack("<H", 60_000) + entry * 30_000 + bytes(21_000_000)
    assert "the image" in refusal(data).message


def claims(width: int, height: int) -> list[bytes]:
    lossy = b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height) + bytes(10)
    packed = struct.pack("<I", (width - 1) | (height - 1) << 14)
    return [
        b"RIFF" + struct.pack("<I", 32) + b"WEBPVP8 " + struct.pack("<I", 20) + lossy,
        b"RIFF" + struct.pack("<I", 32) + b"WEBPVP8L" + struct.pack("<I", 20) + b"\x2f" + packed
        + bytes(15),
    ]  # fmt: skip


@pytest.mark.parametrize("data", claims(16383, 16383))
def test_webp_bomb_is_refused(data: bytes) -> None:
    assert "16383x16383 pixels, more than" in refusal(data).message


def test_tiff_bomb_is_refused() -> None:
    bomb = tiff(IMAGE, t256=[20_000], t257=[20_000], t278=[20_000])
    assert "20000x20000 pixels, more than" in refusal(bomb).message
    strip = tiff(IMAGE, t256=[9000], t257=[9000], t278=[9000])
    assert "9000x9000 pixels, too many for a tiff" in refusal(strip).message


# Damage ----------------------------------------------------------------------------------------

NOISE = np.random.default_rng(0).integers(-9, 10, (120, 300, 3))
DETAILED = (make_image(300, 120) + NOISE).clip(0, 255).astype(np.uint8)
PACKED = {
    "lzw": ("tiff_lzw", {}), "deflate": ("tiff_adobe_deflate", {}), "packbits": ("packbits", {}),
    "old deflate": ("tiff_deflate", {}),
}  # fmt: skip


def packed(image: Image, kind: str) -> bytes:
    compression, options = PACKED[kind]
    return by_pillow(image, "TIFF", compression=compression, **options)


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize("content", ["detailed", "black", "grey", "tiny", "wide"])
def test_packed_tiffs_are_read(kind: str, content: str) -> None:
    image = {
        "detailed": DETAILED, "black": np.zeros((300, 200, 3), np.uint8), "tiny": IMAGE[:1, :1],
        "grey": np.full((100, 333, 3), 128, np.uint8), "wide": DETAILED[:3],
    }[content]  # fmt: skip
    np.testing.assert_array_equal(load_image(packed(image, kind), 24), load_image(image, 24))
    for compression in (5, 8, 32946, 32773):
        ours = encode(image, ".tiff", cv2.IMWRITE_TIFF_COMPRESSION, compression)
        np.testing.assert_array_equal(load_image(ours, 24), load_image(image, 24))


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize("how", ["zeros", "noise", "turned"])
def test_a_packed_tiff_whose_middle_was_overwritten_is_refused(kind: str, how: str) -> None:
    """OpenCV gave pixels, and only stderr told of the codes that were none."""
    whole = packed(DETAILED, kind)
    assert len(whole) > 20_000
    for seed in range(20):
        rng = np.random.default_rng(seed)
        length = int(len(whole) * rng.uniform(0.1, 0.3))
        start = int(len(whole) * rng.uniform(0.2, 0.5))
        part = whole[start : start + length]
        other = {"zeros": bytes(length), "turned": part[::-1],
                 "noise": rng.integers(0, 256, length).astype(np.uint8).tobytes()}[how]  # fmt: skip
        error = refusal(whole[:start] + other + whole[start + length :])
        assert error.message == "the image is damaged: the tiff data do not make up its picture"


@pytest.mark.parametrize("change", [{"t257": [20]}, {"t256": [40]}, {"t279": [0]}, {"t279": [99]}])
def test_a_plain_tiff_of_another_size_than_its_data(change: dict[str, list[int]]) -> None:
    error = refusal(tiff(IMAGE, **change))
    assert error.message == "the image is damaged: the tiff data do not make up its picture"


def test_a_plain_tiff_whose_last_strip_is_filled_up() -> None:
    height, width = IMAGE.shape[:2]
    filled = np.concatenate([IMAGE, IMAGE[: -height % 16]])
    strip = 16 * width * 3
    count = -(-height // 16)
    data = tiff(filled, t257=[height], t278=[16], t273=[8 + n * strip for n in range(count)],
                t279=[strip] * count)  # fmt: skip
    np.testing.assert_array_equal(load_image(data, 24), EXPECTED)
