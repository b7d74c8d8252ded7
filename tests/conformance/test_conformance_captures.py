"""Squares among the vectors: each reason to take a photo again occurs."""

from __future__ import annotations

from edgekd.bundle.policy import CAPTURE_CODES, UNLIKE
from edgekd.conformance import Vectors


def test_every_reason_occurs(vectors: Vectors) -> None:
    codes = {code for pair in CAPTURE_CODES.values() for code in pair if code} | {UNLIKE}
    assert {reason.code for case in vectors.captures for reason in case.reasons} == codes


def test_a_plain_photo_has_none(vectors: Vectors) -> None:
    plain = next(case for case in vectors.captures if case.id == "skin-96")
    assert plain.reasons == ()
    assert plain.distance is not None


def test_measures_of_newer_formats_are_skipped(vectors: Vectors) -> None:
    newer = next(case for case in vectors.captures if case.id == "a-measure-of-a-newer-edgekd")
    assert [reason.code for reason in newer.reasons] == ["dark"]
