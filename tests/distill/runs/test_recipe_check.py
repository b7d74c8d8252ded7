"""The networks and the method of a recipe, checked as far as it names them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from edgekd.data import Split
from edgekd.distill.runs.recipe_check import check_recipe
from edgekd.distill.samples.run_samples import load_split
from edgekd.errors import InputError
from edgekd.recipe import Recipe

Make = Callable[..., Recipe]


@pytest.fixture
def split(recipe: Make) -> Split:
    return load_split(recipe())


def changed(recipe: Recipe, role: str, **model: Any) -> dict[str, Any]:
    section = msgspec.to_builtins(getattr(recipe, role))
    return {role: section | {"model": section["model"] | model}}


@pytest.mark.parametrize(
    "sections",
    [{}, {"teacher": None}, {"student": None}, {"teacher": None, "method": {"name": "none"}}],
    ids=["both", "no teacher", "no student", "alone"],
)
def test_recipes_that_can_be_trained(recipe: Make, split: Split, sections: dict[str, Any]) -> None:
    check_recipe(recipe(**sections), split)


@pytest.mark.parametrize("role", ["teacher", "student"])
@pytest.mark.parametrize("without", [None, "teacher", "student"])
def test_a_wrong_network_is_named_whichever_others_there_are(
    recipe: Make, split: Split, role: str, without: str | None
) -> None:
    sections = changed(recipe(), role, arch="no-such-network")
    if without not in (None, role):
        sections[without] = None
    with pytest.raises(InputError, match="no-such-network"):
        check_recipe(recipe(**sections), split)


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"method": {"name": "kd", "temprature": 1}}, "temprature"),
        ({"teacher": {"checkpoint": "/no/such/run"}}, "/no/such/run"),
        ({"method": {"name": "skd"}}, "needs subclass labels"),
    ],
)
def test_what_else_is_wrong(recipe: Make, split: Split, sections: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_recipe(recipe(**sections), split)
