"""Facts of a board in words."""

from __future__ import annotations

import pytest

from edgekd.bench.devices.probe import throttling_in_words


@pytest.mark.parametrize(
    "bits, words",
    [
        (0x0, "none"),
        (0x1, "under-voltage"),
        (0x50005, "under-voltage, throttled, under-voltage since boot, throttled since boot"),
        (0x80000, "soft temperature limit since boot"),
    ],
)
def test_the_words_of_a_raspberry_pi(bits: int, words: str) -> None:
    """Values as the Raspberry Pi documentation of `vcgencmd get_throttled` explains them."""
    assert throttling_in_words(bits) == words
