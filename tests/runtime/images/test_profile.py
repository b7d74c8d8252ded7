"""Photos in the colours of telephones and cameras, held against a colour management system."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st
from jpegs import Image, encode, make_image
from pictures import by_pillow, chunk, inserted, refusal

from edgekd.data import decode_images
from edgekd.runtime.images import profile as profile_module
from edgekd.runtime.images.header import Unreadable
from edgekd.runtime.images.profile import conversion_of
from edgekd.runtime.preprocess import decode_image, load_image

P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
ADOBE = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
"""Red, green and blue of each space, adapted to D50."""

IMAGE = make_image(64, 48)


def fixed(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def parametric(form: int, *values: float) -> bytes:
    return b"para" + bytes(4) + struct.pack(">HH", form, 0) + fixed(*values)


def tabled(*values: int) -> bytes:
    return b"curv" + bytes(4) + struct.pack(f">I{len(values)}H", len(values), *values)


LIKE_SRGB = parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
GAMMA = tabled(0x0233)  # 2.199


def icc(
    primaries: Any = P3, curve: bytes = LIKE_SRGB, space: bytes = b"RGB ", name: str = "test"
) -> bytes:
    """A display's profile of version 4 (2, where it has a description of version 2 alone)."""
    text = name.encode("utf-16-be")
    description = b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(text), 28)
    tags = {b"desc": description + text, b"wtpt": b"XYZ " + bytes(4) + fixed(0.9642, 1, 0.8249)}
    if primaries:
        names = (b"rXYZ", b"gXYZ", b"bXYZ")
        tags |= {n: b"XYZ " + bytes(4) + fixed(*p) for n, p in zip(names, primaries, strict=True)}
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    head, body, place = b"", b"", 132 + 12 * len(tags)
    for tag, content in tags.items():
        padded = content + bytes(-len(content) % 4)
        head += struct.pack(">4sII", tag, place + len(body), len(content))
        body += padded
    size = place + len(body)
    header = struct.pack(">I4sI4s4s4s", size, b"", 0x04000000, b"mntr", space, b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28) + fixed(0.9642, 1, 0.8249)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + head + body


def managed(image: Image, profile: bytes) -> Image:
    """By Little CMS."""
    cms, pillow = pytest.importorskip("PIL.ImageCms"), pytest.importorskip("PIL.Image")
    converted = cms.profileToProfile(
        pillow.fromarray(image), io.BytesIO(profile), cms.createProfile("sRGB"),
        renderingIntent=cms.Intent.RELATIVE_COLORIMETRIC,
    )  # fmt: skip
    return np.asarray(converted)


def in_png(image: Image, profile: bytes) -> bytes:
    return inserted(encode(image, ".png"), chunk(b"iCCP", b"x\0\0" + zlib.compress(profile)))


def in_jpeg(image: Image, profile: bytes, parts: int = 1) -> bytes:
    jpeg = encode(image, ".jpg", cv2.IMWRITE_JPEG_QUALITY, 95)
    step = -(-len(profile) // parts)
    segments = [
        b"ICC_PROFILE\0" + bytes([n + 1, parts]) + profile[n * step : (n + 1) * step]
        for n in range(parts)
    ]
    joined = [b"\xff\xe2" + struct.pack(">H", len(body) + 2) + body for body in segments]
    return jpeg[:2] + b"".join(reversed(joined)) + jpeg[2:]


def pillow(kind: str, **options: Any) -> Callable[[Image, bytes], bytes]:
    return lambda image, profile: by_pillow(image, kind, icc_profile=profile, **options)


def in_dicom(image: Image, profile: bytes) -> bytes:
    pytest.importorskip("pydicom")
    from dicoms import dicom

    return dicom(image, ICCProfile=profile + bytes(len(profile) % 2))


CARRIERS = {
    "png": in_png, "png by pillow": pillow("PNG"), "webp": pillow("WEBP", lossless=True),
    "tiff": pillow("TIFF"), "tiff deflate": pillow("TIFF", compression="tiff_adobe_deflate"),
    "dicom": in_dicom,
}  # fmt: skip
PROFILES = {
    "Display P3": icc(),
    "Adobe RGB": icc(ADOBE, GAMMA),
    "gamma 1.8": icc(SRGB, parametric(0, 1.8)),
    "linear": icc(ADOBE, tabled()),
    "table": icc(P3, tabled(*(round(65535 * (n / 1023) ** 2.2) for n in range(1024)))),
    "form 1": icc(P3, parametric(1, 2.2, 0.95, 0.05)),
    "form 2": icc(P3, parametric(2, 2.2, 0.9, 0.05, 0.04)),
    "form 4": icc(P3, parametric(4, 2.4, 0.9, 0.08, 0.07, 0.05, 0.01, 0.001)),
}


@pytest.mark.parametrize("name", PROFILES)
def test_colours_are_those_of_a_colour_management_system(name: str) -> None:
    profile = PROFILES[name]
    found = decode_image(in_png(IMAGE, profile), 32)
    assert np.abs(found.astype(int) - managed(IMAGE, profile)).max() <= 2
    assert np.abs(found.astype(int) - IMAGE).mean() > 1.5


@pytest.mark.parametrize("carrier", CARRIERS)
def test_every_format_carries_a_profile(carrier: str) -> None:
    profile = PROFILES["Display P3"]
    found = decode_image(CARRIERS[carrier](IMAGE, profile), 32)
    np.testing.assert_array_equal(found, decode_image(in_png(IMAGE, profile), 32))


@pytest.mark.parametrize("parts", [1, 2, 5])
def test_jpeg_carries_a_profile_in_parts(parts: int) -> None:
    profile = PROFILES["Display P3"]
    plain = decode_image(encode(IMAGE, ".jpg", cv2.IMWRITE_JPEG_QUALITY, 95), 32)
    found = decode_image(in_jpeg(IMAGE, profile, parts), 32)
    assert np.abs(found.astype(int) - managed(plain, profile)).max() <= 2


def test_a_large_image_is_converted_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    data = in_png(IMAGE, PROFILES["Adobe RGB"])
    whole = decode_image(data, 32)
    monkeypatch.setattr(profile_module, "_AT_ONCE", 500)
    np.testing.assert_array_equal(decode_image(data, 32), whole)


def test_red_of_a_telephone_is_more_red_than_its_numbers() -> None:
    red = np.full((40, 40, 3), (200, 80, 70), np.uint8)
    found = load_image(in_jpeg(red, PROFILES["Display P3"]), 8)[4, 4].astype(int)
    assert found[0] > 210
    assert found[1] < 80


SRGB_PROFILES = {
    "parametric": icc(SRGB, LIKE_SRGB),
    "table": icc(SRGB, tabled(*(
        round(65535 * (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4))
        for v in np.arange(1024) / 1023
    ))),
    "tables of sRGB": icc(None, name="sRGB v4 preference"),
    "grey": icc(None, space=b"GRAY"),
}  # fmt: skip


@pytest.mark.parametrize("name", SRGB_PROFILES)
@pytest.mark.parametrize("carrier", [*CARRIERS, "jpeg"])
def test_a_profile_of_srgb_changes_nothing(name: str, carrier: str) -> None:
    profile = SRGB_PROFILES[name]
    if carrier == "jpeg":
        plain = decode_image(encode(IMAGE, ".jpg", cv2.IMWRITE_JPEG_QUALITY, 95), 32)
        found = decode_image(in_jpeg(IMAGE, profile), 32)
    else:
        plain, found = IMAGE, decode_image(CARRIERS[carrier](IMAGE, profile), 32)
    np.testing.assert_array_equal(found, plain)


def test_little_cms_own_profile_of_srgb_changes_nothing() -> None:
    cms = pytest.importorskip("PIL.ImageCms")
    assert conversion_of(cms.ImageCmsProfile(cms.createProfile("sRGB")).tobytes()) is None


@pytest.mark.parametrize(
    "profile",
    [icc(None), icc(space=b"CMYK"), icc(space=b"Lab "), b"no profile at all" * 9,
     icc(P3, b"mft2" + bytes(40)), icc()[:200], icc(P3, parametric(0, 2.2)[:9])],
)  # fmt: skip
def test_a_profile_that_is_not_read_makes_the_image_unreadable(profile: bytes) -> None:
    error = refusal(in_png(IMAGE, profile))
    assert error.message == "the image has a colour profile that is not read"
    assert "sRGB" in error.hint


def test_a_packed_profile_that_is_damaged() -> None:
    data = inserted(encode(IMAGE, ".png"), chunk(b"iCCP", b"x\0\0not packed"))
    assert "colour profile that is not read" in refusal(data).message


@pytest.mark.parametrize("change", ["first missing", "last missing", "one twice, differing"])
def test_parts_of_a_jpegs_profile_that_make_none(change: str) -> None:
    parts = in_jpeg(IMAGE, PROFILES["Display P3"], 3)
    place = [at for at in range(len(parts)) if parts.startswith(b"ICC_PROFILE\0", at)]
    number = {"first missing": 1, "last missing": 3, "one twice, differing": 2}[change]
    (index,) = (n for n, at in enumerate(place) if parts[at + 12] == number)
    start = place[index] - 4
    length = 2 + struct.unpack_from(">H", parts, start + 2)[0]
    if change.startswith("one"):
        other = parts[start : start + length - 1] + bytes([parts[start + length - 1] ^ 1])
        data = parts[:start] + other + parts[start:]
    else:
        data = parts[:start] + parts[start + length :]
    assert "colour profile that is not read" in refusal(data).message


def version_5(image: Image, where: bytes, profile: bytes = b"") -> bytes:
    """A BMP with a header of 124 bytes."""
    rows = encode(image, ".bmp")
    head = bytearray(rows[:54].ljust(14 + 124, b"\0"))
    struct.pack_into("<I", head, 10, len(head))
    struct.pack_into("<I", head, 14, 124)
    head[70:74] = where
    struct.pack_into("<II", head, 126, 124 + len(rows) - 54, len(profile))
    return bytes(head) + rows[54:] + profile


def test_bmp_carries_a_profile() -> None:
    profile = PROFILES["Display P3"]
    found = load_image(version_5(IMAGE, b"DEBM", profile), 32)
    np.testing.assert_array_equal(found, load_image(in_png(IMAGE, profile), 32))
    np.testing.assert_array_equal(load_image(version_5(IMAGE, b"BGRs"), 32), load_image(IMAGE, 32))
    assert "in another file" in refusal(version_5(IMAGE, b"KNIL", b"x.icm\0")).message
    assert "not read" in refusal(version_5(IMAGE, b"DEBM")).message


def test_training_sees_the_same_colours(tmp_path: Any) -> None:
    data = in_jpeg(IMAGE, PROFILES["Display P3"])
    (tmp_path / "a.jpg").write_bytes(data)
    np.testing.assert_array_equal(decode_images([tmp_path / "a.jpg"], 32)[0], load_image(data, 32))


def test_a_packed_profile_without_end_is_not_unpacked() -> None:
    bomb = zlib.compress(bytes(40_000_000), 9)
    data = inserted(encode(IMAGE, ".png"), chunk(b"iCCP", b"x\0\0" + bomb))
    assert "colour profile that is not read" in refusal(data).message  # of no colour space


@fuzz(200)
@given(
    st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=6), st.integers(0, 800)
)
def test_damaged_profiles_never_crash(flips: list[tuple[int, int]], end: int) -> None:
    content = bytearray(PROFILES["Display P3"])
    for place, value in flips:
        content[place % len(content)] = value
    try:
        found = conversion_of(bytes(content[:end]))
    except Unreadable:
        return
    if found is not None:
        assert found(IMAGE).shape == IMAGE.shape
