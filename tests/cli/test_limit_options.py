"""Limits on the command line."""

from __future__ import annotations

import pytest

from edgekd.cli.limit_options import CRITICAL_LIMIT, critical_classes, limits_by_name
from edgekd.errors import InputError


def test_limits_are_names_with_numbers() -> None:
    assert limits_by_name(["max_flips=0.01", " noticed =0.95"]) == {
        "max_flips": 0.01,
        "noticed": 0.95,
    }


@pytest.mark.parametrize("text", ["max_flips", "max_flips=", "max_flips=few"])
def test_a_limit_without_a_number_is_a_mistake(text: str) -> None:
    with pytest.raises(InputError, match="NAME=VALUE"):
        limits_by_name([text])


def test_two_limits_of_one_name_are_a_mistake() -> None:
    with pytest.raises(InputError, match=r"two limits, 0\.1 and 0\.2"):
        limits_by_name(["noticed=0.1", "noticed=0.2"])


def test_critical_classes_have_a_limit_or_the_usual_one() -> None:
    assert critical_classes("") is None
    assert critical_classes("none") == {}
    assert critical_classes("mel, bcc=0.1") == {"mel": CRITICAL_LIMIT, "bcc": 0.1}
