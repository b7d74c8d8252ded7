"""JPEGs that kept their beginning and their end and lost something between."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from jpegs import Image, encode, make_image
from pictures import by_pillow, refusal

from edgekd.errors import ImageError
from edgekd.runtime.images import decoding, jpeg, jpeg_check
from edgekd.runtime.preprocess import decode_image, load_image

REPOSITORY = Path(__file__).resolve().parents[3]
REAL_DATA = Path(os.environ.get("EDGEKD_REAL_DATA") or REPOSITORY / ".." / "shared" / "data")
SEEDS = range(60)
PROGRESSIVE, RESTARTS = cv2.IMWRITE_JPEG_PROGRESSIVE, cv2.IMWRITE_JPEG_RST_INTERVAL
QUALITY, SAMPLING = cv2.IMWRITE_JPEG_QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR
KINDS: dict[str, tuple[int, ...]] = {
    "baseline": (),
    "progressive": (PROGRESSIVE, 1),
    "restarts": (RESTARTS, 13),
    "few-restarts": (RESTARTS, 60),
    "progressive-restarts": (PROGRESSIVE, 1, RESTARTS, 13),
    "optimised": (cv2.IMWRITE_JPEG_OPTIMIZE, 1),
    "coarse": (QUALITY, 40),
    "fine": (QUALITY, 99),
    "fine-progressive": (QUALITY, 99, PROGRESSIVE, 1),
    "444": (SAMPLING, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
    "422": (SAMPLING, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422, PROGRESSIVE, 1),
    "411": (SAMPLING, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411, PROGRESSIVE, 1),
}


def photo(height: int, width: int, seed: int = 0) -> Image:
    """A painted one with a sensor's noise."""
    noise = np.random.default_rng(seed).integers(-6, 7, (height, width, 3))
    return (make_image(width, height, seed) + noise).clip(0, 255).astype(np.uint8)


def grey(image: Image) -> Image:
    return np.ascontiguousarray(image[..., 1])


PHOTO = photo(96, 130)


@pytest.fixture(params=["told by the decoder", "walked through"])
def chance(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """In each of the ways; how many of sixty may be answered: the decoder allows some bits."""
    assert decoding._detects_missing_data()
    if request.param == "walked through":  # as with an old OpenCV
        monkeypatch.setattr(decoding, "_detects_missing_data", lambda: False)
    if request.param == "told by the decoder":
        monkeypatch.setattr(decoding, "SHORT", 0)
        monkeypatch.setattr(decoding, "SHORT_GREY", 0)
    return 0 if request.param == "walked through" else 2


def middle(data: bytes, seed: int, least: float = 0.02) -> tuple[int, int]:
    """A part of what lies between the first scan's header and the end-of-image marker."""
    rng = np.random.default_rng(seed)
    begin, end = data.index(b"\xff\xda") + 14, len(data) - 4
    length = int((end - begin) * rng.uniform(least, 0.5))
    start = int(rng.uniform(begin, end - length))
    return start, start + length


# What is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("colours", [3, 1])
def test_a_jpeg_without_its_middle_is_refused(kind: str, colours: int, chance: int) -> None:
    whole = encode(PHOTO if colours == 3 else grey(PHOTO), ".jpg", *KINDS[kind])
    load_image(whole, 32)
    cuts = [middle(whole, seed) for seed in SEEDS]
    assert sum(answered(whole[:start] + whole[end:]) for start, end in cuts) <= chance


@pytest.mark.parametrize("quality", [90, 95, 99])
def test_a_larger_jpeg_without_its_middle_is_refused(quality: int) -> None:
    whole = encode(photo(300, 400), ".jpg", QUALITY, quality)
    assert len(whole) > decoding.SHORT
    cuts = [middle(whole, seed) for seed in SEEDS]
    assert not any(answered(whole[:start] + whole[end:]) for start, end in cuts)


def test_a_grey_jpeg_without_a_few_bytes_is_walked_through() -> None:
    """Of one or two blocks too few the decoder says nothing that a program hears: 84 of these."""
    whole = encode(grey(PHOTO), ".jpg", QUALITY, 90)
    assert len(whole) > decoding.SHORT
    begin, end = whole.index(b"\xff\xda") + 14, len(whole) - 30
    places = np.random.default_rng(0).integers(begin, end, 100).tolist()
    assert sum(answered(whole[:place] + whole[place + 7 :]) for place in places) < 50


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["zeros", "noise", "twice"])
def test_a_jpeg_whose_middle_was_overwritten_is_refused(kind: str, how: str, chance: int) -> None:
    """Now and then the number of blocks comes out right all the same, of so few above all."""
    whole = encode(PHOTO, ".jpg", *KINDS[kind])
    damaged = []
    for seed in SEEDS[:20]:
        start, end = middle(whole, seed, least=0.1)
        noise = np.random.default_rng(seed).integers(0, 256, end - start).astype(np.uint8)
        other = {
            "zeros": bytes(end - start), "noise": noise.tobytes(), "twice": 2 * whole[start:end],
        }[how]  # fmt: skip
        damaged.append(whole[:start] + other + whole[end:])
    assert sum(map(answered, damaged)) <= chance


def answered(data: bytes) -> bool:
    try:
        load_image(data, 32)
    except ImageError:
        return False
    return True


@pytest.mark.parametrize("interval", [1, 9, 40])
def test_restart_markers_are_in_order_and_all_there(interval: int) -> None:
    whole = encode(PHOTO, ".jpg", RESTARTS, interval)
    first = whole.index(b"\xff\xd0")
    assert "is damaged" in refusal(whole[:first] + b"\xff\xd1" + whole[first + 2 :]).message
    assert "is damaged" in refusal(whole[:first] + whole[first + 2 :]).message
    assert "is damaged" in refusal(whole[:first] + b"\xff\xd0" + whole[first:]).message


def test_a_restart_marker_in_a_jpeg_that_declares_none() -> None:
    whole = encode(PHOTO)
    place = whole.index(b"\xff\xda") + 400
    assert "is damaged" in refusal(whole[:place] + b"\xff\xd0" + whole[place:]).message


def scans_of(data: bytes) -> list[bytes]:
    """A progressive JPEG in parts: its head, then each scan with the tables before it."""
    ends = [
        jpeg.end_of_scan(data, segment.end)
        for segment in jpeg.segments(data)
        if segment.marker == 0xDA
    ]
    first = data.index(b"\xff\xc4")
    return [data[:first], *(data[a:b] for a, b in pairwise([first, *ends]))]


def test_a_progressive_jpeg_without_one_of_its_scans_is_refused() -> None:
    whole = encode(PHOTO, ".jpg", PROGRESSIVE, 1)
    parts = scans_of(whole)
    assert b"".join(parts) + b"\xff\xd9" == whole
    assert len(parts) > 5
    for lost in range(1, len(parts)):
        rest = b"".join(part for n, part in enumerate(parts) if n != lost)
        refusal(rest + b"\xff\xd9")


def test_surplus_is_refused_and_a_byte_of_padding_is_not() -> None:
    for kind in ("baseline", "progressive", "restarts"):
        whole = encode(PHOTO, ".jpg", *KINDS[kind])
        np.testing.assert_array_equal(
            load_image(whole[:-2] + b"\0\xff\xd9", 32), load_image(whole, 32)
        )
        np.testing.assert_array_equal(
            load_image(whole[:-2] + b"\xff\xff\xff\xd9", 32), load_image(whole, 32)
        )
        assert "is damaged" in refusal(whole[:-2] + bytes(20) + b"\xff\xd9").message


def test_damage_says_what_to_do() -> None:
    whole = encode(PHOTO)
    error = refusal(whole[:900] + whole[2000:])
    assert error.message == "the image is damaged: the jpeg data do not make up its picture"
    assert error.hint == "copy it again from its source"


@pytest.mark.parametrize("kind", ["baseline", "progressive", "restarts"])
def test_damage_in_the_jpeg_of_a_dicom_file(kind: str) -> None:
    pytest.importorskip("pydicom")
    from dicoms import dicom
    from pydicom.uid import JPEGBaseline8Bit

    whole = encode(PHOTO, ".jpg", *KINDS[kind])
    for seed in range(10):
        start, end = middle(whole, seed)
        frame = whole[:start] + whole[end:]
        size = {"Rows": PHOTO.shape[0], "Columns": PHOTO.shape[1]}
        refusal(dicom(frame, "YBR_FULL_422", JPEGBaseline8Bit, **size))


def test_nothing_is_said_of_a_whole_jpeg(capfd: pytest.CaptureFixture[str]) -> None:
    """The decoder's warnings go to stderr, and asking it must not cause any."""
    for options in KINDS.values():
        load_image(encode(PHOTO, ".jpg", *options), 32)
    assert capfd.readouterr().err == ""


# What is not -----------------------------------------------------------------------------------

SHAPES = [(96, 130), (1, 1), (8, 8), (33, 47), (16, 300), (301, 17)]
FLAGS = [cv2.IMREAD_COLOR, cv2.IMREAD_REDUCED_COLOR_2, cv2.IMREAD_REDUCED_COLOR_8]


@pytest.mark.usefixtures("chance")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("content", ["photo", "black", "middle grey", "noise"])
def test_whole_jpegs_of_all_kinds_give_the_decoders_pixels(
    shape: tuple[int, int], content: str
) -> None:
    flat = {"black": 0, "middle grey": 128}
    image = photo(*shape)
    if content == "noise":
        image = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    elif content in flat:
        image = np.full((*shape, 3), flat[content], np.uint8)
    for options in KINDS.values():
        for one in (image, grey(image)):
            data = encode(one, ".jpg", *options)
            for flags in FLAGS:
                wanted = cv2.imdecode(np.frombuffer(data, np.uint8), int(flags))
                np.testing.assert_array_equal(decoding._whole_jpeg(data, int(flags)), wanted)


@pytest.mark.usefixtures("chance")
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"optimize": True},
                                     {"quality": 100, "subsampling": 0}, {"subsampling": 1},
                                     {"restart_marker_rows": 1}, {"restart_marker_blocks": 3},
                                     {"keep_rgb": True}])  # fmt: skip
def test_whole_jpegs_of_another_encoder(options: dict[str, int]) -> None:
    data = by_pillow(PHOTO, "JPEG", **options)
    jpeg_check.check_scans(data)
    wanted = cv2.imdecode(np.frombuffer(data, np.uint8), 1)
    np.testing.assert_array_equal(decode_image(data, 96)[..., ::-1], wanted)


def test_what_follows_the_picture_does_not_matter() -> None:
    whole = encode(PHOTO)
    for after in (b"", bytes(100), b"\xff\xda\xff\xc0", encode(photo(20, 20, 1))):
        np.testing.assert_array_equal(load_image(whole + after, 32), load_image(whole, 32))


def test_a_progressive_jpeg_too_long_to_be_walked_through_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jpeg_check, "MAX_WALKED", 1000)
    monkeypatch.setattr(jpeg_check, "MAX_RESTARTED", 1000)
    message = "the image is a progressive JPEG too long to be checked for damage"
    assert refusal(encode(PHOTO, ".jpg", PROGRESSIVE, 1)).message == message
    whole = encode(PHOTO, ".jpg", RESTARTS, 9)
    load_image(whole, 32)  # its markers are counted all the same
    start, end = middle(whole, 0, least=0.3)
    assert "is damaged" in refusal(whole[:start] + whole[end:]).message


def test_a_frame_of_a_video_without_tables_is_told_as_one() -> None:
    whole = encode(PHOTO, ".jpg", RESTARTS, 9)
    place = whole.index(b"\xff\xc4")
    bare = whole[:place] + whole[whole.index(b"\xff\xdd", place) :]
    assert b"\xff\xc4" not in bare
    assert "without its code tables" in refusal(bare).message


def test_a_long_scan_without_tables_is_refused_though_the_decoder_has_its_own() -> None:
    whole = encode(PHOTO, ".jpg")
    assert len(whole) > 2 * decoding.SHORT
    unnamed = whole.replace(b"\xff\xc4", b"\xff\xfe")  # comments
    assert "without its code tables" in refusal(unnamed).message


REAL = [REAL_DATA / "ham10000" / "images", REAL_DATA / "ham10000_lesions_224" / "images"]


@pytest.mark.parametrize("folder", REAL, ids=lambda folder: folder.parent.name)
def test_a_real_photo_without_its_middle_is_refused(folder: Path) -> None:
    if not folder.is_dir():
        pytest.skip(f"no photos at {folder} (EDGEKD_REAL_DATA names the folder above)")
    for file in sorted(folder.glob("*.jpg"))[::1000]:
        whole = file.read_bytes()
        cuts = [middle(whole, seed) for seed in SEEDS]
        assert not any(answered(whole[:start] + whole[end:]) for start, end in cuts)


@pytest.mark.parametrize("folder", REAL, ids=lambda folder: folder.parent.name)
def test_no_real_photo_is_refused(folder: Path) -> None:
    if not folder.is_dir():
        pytest.skip(f"no photos at {folder} (EDGEKD_REAL_DATA names the folder above)")
    files = sorted(folder.glob("*.jpg"))
    for number, file in enumerate(files[::25]):
        data = file.read_bytes()
        decoding._whole_jpeg(data, int(cv2.IMREAD_COLOR))
        if number % 10 == 0:
            jpeg_check.check_scans(data)
    assert len(files) > 5000
