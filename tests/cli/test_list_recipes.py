"""`edgekd recipes`: the list, and the text of one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import refused

from edgekd.cli import main
from edgekd.cli.list_recipes import summary_of
from edgekd.recipe import load_recipe
from edgekd.resources import recipe_file, recipe_names


def test_the_list_has_every_recipe_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == recipe_names()
    assert all(len(line.split()) > 3 for line in lines)
    assert main(["recipes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["demo"] == summary_of("demo")


def test_a_sentence_ends_where_it_ends() -> None:
    assert summary_of("demo") == (
        "The whole chain on painted dermoscopy, for two CPU cores and a few minutes"
    )
    assert summary_of("idrid-crckd").endswith("and needs no teacher")  # not at `et al.`


def test_the_text_of_one_is_a_recipe_that_loads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["recipes", "ham10000-kd"]) == 0
    text = capsys.readouterr().out
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    assert load_recipe(str(file)) == load_recipe("ham10000-kd")
    # The schema lies beside the shipped file, not beside the user's.
    shipped = recipe_file("ham10000-kd")
    assert shipped is not None
    first, _, rest = shipped.read_text().partition("\n")
    assert first == "# yaml-language-server: $schema=../schemas/recipe.schema.json"
    assert text == rest
    assert (shipped.parent / "../schemas/recipe.schema.json").is_file()


def test_one_as_json_has_every_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "demo", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["split"]["seed"] == 0


def test_a_name_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    refused(capsys, ["recipes", "ham10000-kdd"], 2, "did you mean 'ham10000-kd'?")
