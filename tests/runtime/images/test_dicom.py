"""DICOM as dermoscopes write it; the patient in it is never quoted."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import time
import zlib
from typing import Any

import numpy as np
import pytest
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st
from jpegs import encode, make_image, with_exif
from pictures import by_pillow, distance, refusal

from edgekd.errors import ImageError
from edgekd.runtime.preprocess import MAX_PIXELS, decode_image, load_image

pytest.importorskip("pydicom")
from dicoms import (
    HEIGHT,
    PATIENT,
    PHOTO,
    WIDTH,
    dicom,
    palette_tags,
    run_lengths,
    to_ybr,
    variants,
)
from pydicom import uid

GREY = np.ascontiguousarray(PHOTO[..., 1:2])
JPEG = encode(PHOTO)


def read(data: bytes) -> Any:
    return decode_image(data, 32)


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian])
def test_uncompressed_rgb_is_exact(syntax: str) -> None:
    np.testing.assert_array_equal(read(dicom(PHOTO, syntax=syntax)), PHOTO)
    planes = np.ascontiguousarray(PHOTO.transpose(2, 0, 1))
    data = dicom(planes.tobytes(), syntax=syntax, PlanarConfiguration=1)
    np.testing.assert_array_equal(read(data), PHOTO)
    np.testing.assert_array_equal(load_image(data, 16), load_image(PHOTO, 16))


def test_luminance_and_chroma() -> None:
    assert distance(read(dicom(to_ybr(PHOTO), "YBR_FULL")), PHOTO) < 1
    ybr = to_ybr(PHOTO)
    pairs = np.stack([ybr[:, ::2, 0], ybr[:, 1::2, 0], ybr[:, ::2, 1], ybr[:, ::2, 2]], axis=-1)
    halved = dicom(pairs.tobytes(), "YBR_FULL_422")
    assert distance(read(halved), PHOTO) < 6


def test_planes_that_cannot_be() -> None:
    """Chroma of half the width lies beside its luminance, never apart; and there are two ways."""
    halved = dicom(bytes(2 * WIDTH * HEIGHT), "YBR_FULL_422", PlanarConfiguration=1)
    assert "cannot be decoded as DICOM" in refusal(halved).message
    assert "cannot be decoded" in refusal(dicom(PHOTO, PlanarConfiguration=2)).message


def test_grey_either_way_round() -> None:
    expected = np.repeat(GREY, 3, axis=2)
    np.testing.assert_array_equal(read(dicom(GREY, "MONOCHROME2")), expected)
    np.testing.assert_array_equal(read(dicom(255 - GREY, "MONOCHROME1")), expected)
    np.testing.assert_array_equal(
        read(dicom(run_lengths(GREY[..., 0]), "MONOCHROME2", uid.RLELossless)), expected
    )


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("entries", [16, 256])
def test_palette(bits: int, entries: int) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (entries, 3)).astype(np.uint8)
    indices = np.arange(WIDTH * HEIGHT).reshape(HEIGHT, WIDTH, 1) % entries
    data = dicom(indices.astype(np.uint8), "PALETTE COLOR", **palette_tags(colours, bits))
    np.testing.assert_array_equal(read(data), colours[indices[..., 0]])


def test_palette_agrees_with_pydicom() -> None:
    from pydicom import dcmread
    from pydicom.pixels import apply_color_lut

    colours = np.random.default_rng(1).integers(0, 256, (100, 3)).astype(np.uint8)
    tags = palette_tags(colours, 16)
    for name in ("Red", "Green", "Blue"):
        tags[f"{name}PaletteColorLookupTableDescriptor"] = [100, 20, 16]
    data = dicom(GREY, "PALETTE COLOR", **tags)
    theirs = apply_color_lut(GREY[..., 0], dcmread(io.BytesIO(data))) >> 8
    np.testing.assert_array_equal(read(data), theirs)


def test_run_lengths_are_exact() -> None:
    np.testing.assert_array_equal(read(dicom(run_lengths(PHOTO), "RGB", uid.RLELossless)), PHOTO)
    ybr = dicom(run_lengths(to_ybr(PHOTO)), "YBR_FULL", uid.RLELossless)
    assert distance(read(ybr), PHOTO) < 1
    flat = np.full_like(PHOTO, 7)
    np.testing.assert_array_equal(read(dicom(run_lengths(flat), "RGB", uid.RLELossless)), flat)


@pytest.mark.parametrize("photometric", ["YBR_FULL_422", "YBR_FULL", "RGB"])
def test_jpeg_is_decoded_as_any_jpeg_is(photometric: str) -> None:
    data = dicom(JPEG, photometric, uid.JPEGBaseline8Bit)
    np.testing.assert_array_equal(read(data), decode_image(JPEG, 32))


def test_jpeg_is_decoded_at_the_smallest_scale() -> None:
    large = encode(make_image(800, 600))
    data = dicom(large, "YBR_FULL_422", uid.JPEGBaseline8Bit, Rows=600, Columns=800)
    assert decode_image(data, 32).shape == (75, 100, 3)
    np.testing.assert_array_equal(load_image(data, 32), load_image(large, 32))


def test_jpeg_is_shown_as_it_is_stored() -> None:
    turned = with_exif(JPEG, 3)
    data = dicom(turned, "YBR_FULL_422", uid.JPEGBaseline8Bit)
    np.testing.assert_array_equal(read(data), decode_image(JPEG, 32))


def test_grey_jpeg() -> None:
    jpeg = encode(np.ascontiguousarray(GREY[..., 0]))
    for photometric, expected in (
        ("MONOCHROME2", decode_image(jpeg, 32)),
        ("MONOCHROME1", 255 - decode_image(jpeg, 32)),
    ):
        data = dicom(jpeg, photometric, uid.JPEGBaseline8Bit)
        np.testing.assert_array_equal(read(data), expected)


def test_jpeg_that_says_itself_that_it_is_rgb() -> None:
    jpeg = by_pillow(PHOTO, "JPEG", quality=95, keep_rgb=True)
    assert b"Adobe" in jpeg
    assert distance(read(dicom(jpeg, "RGB", uid.JPEGBaseline8Bit)), PHOTO) < 4


def test_rgb_jpeg_that_does_not_say_so_is_refused() -> None:
    start = JPEG.index(b"\xff\xe0")
    bare = JPEG[:start] + JPEG[start + 18 :]
    assert b"JFIF" not in bare
    assert distance(read(dicom(bare, "YBR_FULL_422", uid.JPEGBaseline8Bit)), PHOTO) < 4
    assert (
        "does not say that it is RGB" in refusal(dicom(bare, "RGB", uid.JPEGBaseline8Bit)).message
    )


@pytest.mark.parametrize(
    ("syntax", "words"),
    [(uid.JPEG2000Lossless, "JPEG 2000 Image Compression (Lossless Only)"),
     (uid.JPEGLSLossless, "JPEG-LS Lossless Image Compression"),
     (uid.JPEGLosslessSV1, "JPEG Lossless"), (uid.HTJ2KLossless, "High-Throughput JPEG 2000"),
     (uid.MPEG2MPML, "MPEG2")],
)  # fmt: skip
def test_other_transfer_syntaxes_are_refused_by_name(syntax: str, words: str) -> None:
    assert words in refusal(dicom(JPEG, "YBR_FULL", syntax)).message


def with_syntax(data: bytes, syntax: bytes) -> bytes:
    syntax += bytes(len(syntax) % 2)
    start = b"\2\0\x10\0UI"
    explicit = uid.ExplicitVRLittleEndian.encode() + b"\0"
    old = start + len(explicit).to_bytes(2, "little") + explicit
    assert old in data
    return data.replace(old, start + len(syntax).to_bytes(2, "little") + syntax, 1)


def test_unknown_and_big_endian_syntaxes_are_refused() -> None:
    data = dicom(PHOTO)
    assert "unknown transfer syntax" in refusal(with_syntax(data, b"1.2.3.4")).message
    assert "Explicit VR Big Endian" in refusal(with_syntax(data, b"1.2.840.10008.1.2.2")).message


def test_deflated_file_is_refused_before_it_is_inflated() -> None:
    data = with_syntax(dicom(PHOTO), b"1.2.840.10008.1.2.1.99")
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    begin = time.perf_counter()
    stuffed = data + bomb.compress(bytes(50_000_000)) + bomb.flush()
    assert "Deflated Explicit VR Little Endian" in refusal(stuffed).message
    assert time.perf_counter() - begin < 2


@pytest.mark.parametrize(
    ("tags", "words"),
    [({"NumberOfFrames": 2}, "of several frames"), ({"BitsAllocated": 16}, "more than 8 bits"),
     ({"BitsStored": 12}, "more than 8 bits"), ({"PixelRepresentation": 1}, "cannot be decoded"),
     ({"PhotometricInterpretation": "HSV"}, "in colours that are not read"),
     ({"SamplesPerPixel": 1}, "cannot be decoded"), ({"Rows": 0}, "cannot be decoded"),
     ({"Rows": HEIGHT + 1}, "the end of the DICOM pixels is missing"),
     ({"Rows": 60_000, "Columns": 60_000}, "60000x60000 pixels, too many"),
     ({"Rows": 7_000, "Columns": 7_000}, "7000x7000 pixels, too many")],
)  # fmt: skip
def test_other_kinds_are_refused(tags: dict[str, Any], words: str) -> None:
    assert words in refusal(dicom(PHOTO, **tags)).message
    assert MAX_PIXELS < 60_000 * 60_000


def test_frame_of_another_size_than_the_file_says_is_refused() -> None:
    data = dicom(JPEG, "YBR_FULL", uid.JPEGBaseline8Bit, Rows=HEIGHT * 2)
    assert "cannot be decoded as DICOM" in refusal(data).message


def test_file_without_a_picture_is_refused() -> None:
    data = dicom(PHOTO)
    place = data.index(b"\xe0\x7f\x10\x00OB")
    assert "without a picture" in refusal(data[:place]).message


def halved(image: Any) -> Any:
    """Y1 Y2 Cb Cr for each two pixels, uint8 [H, W/2, 4]."""
    ybr = to_ybr(image)
    return np.stack([ybr[:, ::2, 0], ybr[:, 1::2, 0], ybr[:, ::2, 1], ybr[:, ::2, 2]], axis=-1)


ODD = make_image(33, 31)  # 1,023 pixels, so that an odd number of bytes is followed by another
ODD_SIZE = {"Rows": 31, "Columns": 33}
SURPLUS = "is a DICOM file with more data than the picture that it declares takes"


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian])
@pytest.mark.parametrize(
    ("photometric", "frame"),
    [("RGB", PHOTO), ("YBR_FULL", to_ybr(PHOTO)), ("YBR_FULL_422", halved(PHOTO)),
     ("MONOCHROME1", GREY), ("MONOCHROME2", GREY), ("PALETTE COLOR", GREY // 16)],
)  # fmt: skip
def test_more_data_than_the_picture_takes_is_refused(
    photometric: str, frame: Any, syntax: str
) -> None:
    tags = palette_tags(PHOTO[0, :16], 16) if photometric == "PALETTE COLOR" else {}
    size = {"Rows": HEIGHT, "Columns": WIDTH}
    whole = frame.tobytes()
    read(dicom(whole, photometric, syntax, **size, **tags))
    for more in (bytes(2), bytes(whole[:100]), whole):
        error = refusal(dicom(whole + more, photometric, syntax, **size, **tags))
        assert error.message == f"the image {SURPLUS}"


def test_halved_chroma_that_is_whole_is_refused() -> None:
    """A common mistake of writers: the name of halved chroma over three bytes a pixel."""
    error = refusal(dicom(to_ybr(PHOTO), "YBR_FULL_422"))
    assert error.message == f"the image {SURPLUS}"
    assert "export it" in error.hint


def test_a_byte_that_makes_the_length_even_does_no_harm() -> None:
    np.testing.assert_array_equal(read(dicom(ODD)), ODD)
    grey = np.ascontiguousarray(ODD[..., 0])
    lengths = dicom(run_lengths(grey), "MONOCHROME2", uid.RLELossless, **ODD_SIZE)
    np.testing.assert_array_equal(read(lengths)[..., 0], grey)
    assert SURPLUS in refusal(dicom(ODD.tobytes() + bytes(3), **ODD_SIZE)).message


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
def test_run_lengths_of_more_than_the_picture_are_refused(photometric: str) -> None:
    taller = np.concatenate([PHOTO, PHOTO[:1]])
    size = {"Rows": HEIGHT, "Columns": WIDTH}
    frame = run_lengths(taller)
    assert SURPLUS in refusal(dicom(frame, photometric, uid.RLELossless, **size)).message


def test_a_second_jpeg_behind_the_frame_is_refused() -> None:
    other = encode(PHOTO[::-1].copy())
    assert SURPLUS in refusal(dicom(JPEG + other, "YBR_FULL_422", uid.JPEGBaseline8Bit)).message
    padded = dicom(JPEG + bytes(len(JPEG) % 2 + 2), "YBR_FULL_422", uid.JPEGBaseline8Bit)
    np.testing.assert_array_equal(read(padded), decode_image(JPEG, 32))


def test_run_lengths_that_unpack_to_millions_are_refused_at_the_pictures_end() -> None:
    third = b"\x81\x05" * 1_700_000
    starts = (64 + len(third) * index for index in range(3))
    head = struct.pack("<4I", 3, *starts)
    bomb = head.ljust(64, b"\0") + third * 3
    begin = time.perf_counter()
    assert SURPLUS in refusal(dicom(bomb, "RGB", uid.RLELossless)).message
    assert time.perf_counter() - begin < 2
    assert "bytes of run lengths" in refusal(dicom(bomb * 3, "RGB", uid.RLELossless)).message


def test_elements_by_the_million_are_refused() -> None:
    data = dicom(PHOTO)
    place = data.index(b"\x28\x00\x02\x00US")
    stuffed = data[:place] + b"\x20\x00\x11\x00SH\x00\x00" * 2_000_000 + data[place:]
    begin = time.perf_counter()
    assert "cannot be decoded as DICOM" in refusal(stuffed).message
    assert time.perf_counter() - begin < 4


def test_sequences_nested_without_end_are_refused() -> None:
    data = dicom(PHOTO)
    place = data.index(b"\x28\x00\x02\x00US")
    level = b"\x18\x00\x12\x90SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    refusal(data[:place] + level * 100_000 + data[place:])


def test_patient_is_never_quoted(caplog: Any, capfd: Any) -> None:
    data = dicom(PHOTO)
    name = PATIENT.encode()
    assert name in data
    place = data.index(name)
    for cut in range(place, len(data) - 1, 211):
        assert PATIENT not in str(refusal(data[:cut]))
    assert PATIENT not in caplog.text
    assert PATIENT not in "".join(capfd.readouterr())


def test_every_cut_is_refused() -> None:
    for data in variants().values():
        for cut in range(132, len(data) - 2, 97):
            refusal(data[:cut])


def test_without_pydicom_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['pydicom'] = None\n"
        "from edgekd.errors import MissingDependencyError\n"
        "from edgekd.runtime.preprocess import load_image\n"
        "try: load_image(bytes(128) + b'DICM' + bytes(100), 32)\n"
        "except MissingDependencyError as error: print(error, error.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pydicom is not installed" in done.stdout
    assert "edgekd[dicom]" in done.stdout


def test_pydicom_is_not_imported_for_other_images() -> None:
    code = (
        "import sys, cv2, numpy\n"
        "from edgekd.runtime.preprocess import load_image\n"
        "load_image(cv2.imencode('.jpg', numpy.zeros((9, 9, 3), numpy.uint8))[1].tobytes(), 4)\n"
        "print('pydicom' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


FILES = list(variants().values())


@fuzz(300)
@given(
    whole=st.sampled_from(FILES),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=5),
)
def test_flips_never_crash(whole: bytes, flips: list[tuple[float, int]]) -> None:
    content = bytearray(whole)
    for place, value in flips:
        content[132 + int(place * min(700, len(content) - 132))] = value
    try:
        image = load_image(bytes(content), 16)
    except ImageError:
        return
    assert image.shape == (16, 16, 3)
