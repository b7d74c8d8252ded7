"""Photos among the vectors: what must be among them."""

from __future__ import annotations

from edgekd.conformance import Vectors, photos


def test_what_the_contract_speaks_of_is_among_them(vectors: Vectors) -> None:
    by_id = {case.id: case for case in vectors.photos}
    read = {name for name, case in by_id.items() if case.refused is None}
    assert {f"turned-{turn}.jpg-at-32" for turn in range(1, 9)} <= read
    assert {"12-megapixels.jpg-at-224", "progressive.jpg-at-32", "lossy.webp-at-32",
            "16-bit.png-at-32", "grey.jpg-at-32", "rgb.bmp-at-32"} <= read  # fmt: skip
    refusals = {name: case.refused for name, case in by_id.items() if case.refused is not None}
    for name, words in {
        "cmyk.jpg": "CMYK", "animated.webp": "animated", "animated.png": "animated",
        "truncated.jpg": "truncated", "hole.jpg": "damaged", "surplus.jpg": "damaged",
        "oversized.jpg": "pixels", "oversized.png": "pixels", "transparent.png": "transparent",
        "photo.heic": "HEIC", "restart-lost.jpg": "damaged", "progressive-hole.jpg": "damaged",
        "no-tables.jpg": "without its code tables", "surplus.png": "damaged",
        "12-bit.jpg": "12 bits", "lossless.jpg": "lossless", "arithmetic.jpg": "arithmetic",
    }.items():  # fmt: skip
        assert words in refusals[f"{name}-at-32"].message, name  # type: ignore[union-attr]


def test_only_profiles_allow_a_difference(vectors: Vectors) -> None:
    lenient = [case for case in vectors.photos if case.max_difference]
    assert {case.max_difference for case in lenient} == {1}
    coloured = ("p3", "adobe", "table", "linear", "exponent", "form")
    assert all(any(word in case.id for word in coloured) for case in lenient)


def test_photos_are_the_same_every_time() -> None:
    kinds = (
        photos._damaged_jpegs,
        photos._pngs,
        photos._webps,
        photos._other_formats,
        photos._coloured,
    )
    for kind in kinds:
        assert list(kind()) == list(kind())
