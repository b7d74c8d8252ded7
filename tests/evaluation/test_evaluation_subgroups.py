"""Subgroups of texts and numbers, and missing values as one of their own."""

from __future__ import annotations

import pytest

from edgekd.errors import InputError
from edgekd.evaluation.subgroups import MISSING, AttributeRequest, attribute_of
from edgekd.evaluation.subgroups import requested_attributes as requested


def test_the_option() -> None:
    assert requested(None) == []
    assert requested("sex, age:40:60.5,site:a") == [
        AttributeRequest("sex"),
        AttributeRequest("age", (40.0, 60.5)),
        AttributeRequest("site:a"),
    ]
    for text, part in (("sex,sex", "twice"), ("age:60:40", "do not rise")):
        with pytest.raises(InputError, match=part):
            requested(text)


def names(column: str, cells: list[str]) -> list[str]:
    (request,) = requested(column)
    attribute = attribute_of(request, cells)
    return [attribute.name_of(index) for index in range(len(cells))]


def test_spellings_are_one_subgroup_and_missing_values_another() -> None:
    cells = ["female", "Female", "female", "male", "", "unknown", "NaN"]
    attribute = attribute_of(AttributeRequest("sex"), cells)
    assert attribute.subgroups == ("female", "male", MISSING)
    assert attribute.codes.tolist() == [0, 0, 0, 1, 2, 2, 2]
    assert attribute.members(2).sum() == 3


def test_ages_are_binned_by_a_round_width() -> None:
    ages = ["0", "5", "19", "20", "39", "40", "71", "85", "", "85,0"]
    attribute = attribute_of(AttributeRequest("age"), ages)
    assert attribute.rule == "numbers in steps of 20, each from its lower bound on"
    assert attribute.subgroups == ("0–19", "20–39", "40–59", "60–79", "80–99", MISSING)
    assert attribute.codes.tolist() == [0, 0, 0, 1, 1, 2, 3, 4, 5, 4]


def test_bins_without_images_are_left_out() -> None:
    assert names("age", ["1", "2", "3", "4", "5", "6", "100"])[-1] == "100–119"
    attribute = attribute_of(AttributeRequest("age"), ["1", "2", "3", "4", "5", "6", "100"])
    assert attribute.subgroups == ("0–19", "100–119")


def test_fractions() -> None:
    cells = ["0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.62"]
    assert names("size", cells) == [
        "0.1 to under 0.2", "0.2 to under 0.3", "0.3 to under 0.4", "0.4 to under 0.5",
        "0.5 to under 0.6", "0.6 to under 0.7", "0.6 to under 0.7",
    ]  # fmt: skip


def test_requested_cuts() -> None:
    ages = ["39", "40", "59", "60", ""]
    expected = ["under 40", "40–59", "40–59", "60 and over", MISSING]
    assert names("age:40:60", ages) == expected
    with pytest.raises(InputError, match="cannot be cut"):
        attribute_of(AttributeRequest("sex", (1.0,)), ["male", "female"])


def test_few_numbers_are_subgroups_as_they_are() -> None:
    attribute = attribute_of(AttributeRequest("type"), ["10", "2", "1", "2"])
    assert attribute.subgroups == ("1", "2", "10")
    assert attribute.rule == "as written"


def test_a_column_of_identifiers_is_refused() -> None:
    with pytest.raises(InputError, match="60 different values"):
        attribute_of(AttributeRequest("patient"), [f"P{n}x" for n in range(60)])


def test_a_column_without_any_value() -> None:
    assert attribute_of(AttributeRequest("sex"), ["", "?"]).subgroups == (MISSING,)
