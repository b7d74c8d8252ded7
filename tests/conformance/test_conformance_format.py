"""Numbers and errors as they stand in the vectors."""

from __future__ import annotations

import math

import pytest

from edgekd.conformance.format import number, plain, refusal_of
from edgekd.errors import ArtefactError, ImageError, InputError


@pytest.mark.parametrize("value", [0.0, -1.5, math.inf, -math.inf])
def test_numbers_are_read_back(value: float) -> None:
    assert plain(number(value)) == value


def test_what_is_not_a_number() -> None:
    assert number(math.nan) == "nan"
    assert math.isnan(plain("nan"))


def test_refusals() -> None:
    whole = refusal_of(ImageError("the image is torn", "mend it"))
    assert (whole.error, whole.exit_code, whole.message, whole.hint, whole.exact) == (
        "image", 2, "the image is torn", "mend it", True,
    )  # fmt: skip
    begun = refusal_of(ArtefactError("it is bad: line 3", "x"), start="it is bad: ")
    assert (begun.message, begun.exact, begun.exit_code) == ("it is bad: ", False, 6)
    assert refusal_of(InputError("no", "x")).error == "input"
    with pytest.raises(ValueError, match="does not begin"):
        refusal_of(InputError("no", "x"), start="yes")
