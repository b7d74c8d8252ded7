"""What the shell offers for arguments that several verbs share."""

from __future__ import annotations

from edgekd.cli.options import recipes_beginning
from edgekd.resources import recipe_names


def test_recipes_by_the_beginning_of_their_names() -> None:
    assert recipes_beginning("") == recipe_names()
    assert recipes_beginning("demo") == ["demo", "demo-few-labels", "demo-ssd-kd"]
    assert recipes_beginning("no") == []
