from __future__ import annotations

import pytest

from edgekd.errors import ImageError
from edgekd.runtime.images.header import (
    ImageHeader,
    Unreadable,
    corrupt_image,
    damaged_image,
    truncated_image,
)


def test_refusal_names_the_image_and_says_what_to_do() -> None:
    error = Unreadable("is a GIF", "take the original photo").error_for("a.gif")
    assert isinstance(error, ImageError)
    assert (error.message, error.hint) == ("a.gif is a GIF", "take the original photo")


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (damaged_image("png"), "cannot be decoded as png"),
        (truncated_image("png"), "is truncated: the end of the png is missing"),
        (corrupt_image("png"), "is damaged: the png data do not make up its picture"),
    ],
)
def test_kinds_of_damage_have_sentences_of_their_own(refusal: Unreadable, words: str) -> None:
    assert refusal.reason == words
    assert refusal.hint


def test_memory_falls_with_the_square_of_the_scale() -> None:
    header = ImageHeader("jpeg", 800, 600, overhead=1000)
    assert header.pixels == 480_000
    assert header.memory() == 1000 + 6 * 480_000
    assert header.memory(4) == 1000 + 6 * 30_000
