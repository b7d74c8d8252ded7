"""Networks of edgekd itself, by the name that a recipe has for them."""

from __future__ import annotations

from typing import Any

import pytest

from edgekd.errors import InputError
from edgekd.models.libraries import is_own_class, library_of
from edgekd.models.libraries.own_networks import create

OPTIONS: dict[str, Any] = {"stages": [{"width": 4, "kernels": [3]}]}


def test_the_prefix_is_that_of_edgekd() -> None:
    assert not is_own_class("edgekd:mobile")
    assert library_of("edgekd:mobile").name == "mobile"


def test_outputs_are_the_classes() -> None:
    assert create("mobile", 3, OPTIONS).get_classifier().out_features == 3


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("mobil", OPTIONS, "mobile"),
        ("mobile", {}, "stages"),
        ("mobile", {**OPTIONS, "num_classes": 3}, "data set"),
        ("mobile", {"stages": [{"width": 4, "kernel": [3]}]}, "unknown field `kernel`"),
    ],
)
def test_wrong_names_and_options_are_refused(
    name: str, options: dict[str, Any], expected: str
) -> None:
    with pytest.raises(InputError) as error:
        create(name, 3, options)
    assert expected in f"{error.value.message} {error.value.hint}"
