"""The result of a search by a supernet: front, winner, recipes, picture."""

from __future__ import annotations

from pathlib import Path

import pytest
from searches import recipe_of
from small_space import SMALL
from supernet_results import result

from edgekd.cli.recipes import read_recipe
from edgekd.models import create_network
from edgekd.models.mobile import Mobile
from edgekd.tune.supernet.outcome import (
    ARCH,
    as_trials,
    genes_of,
    student_of,
    write_supernet_result,
)


def test_front_and_winner(tmp_path: Path) -> None:
    found = result(tmp_path)
    assert found.front == [0, 2]
    assert found.winner == 1
    assert [each.recipe for each in found.candidates] == [
        "recipes/1.yaml",
        "",
        "recipes/2.yaml",
        "",
    ]
    assert found.candidates[1].loss == 0.8
    assert found.candidates[0].latency_ms is None


def test_costs_of_a_table_are_milliseconds(tmp_path: Path) -> None:
    found = result(tmp_path, cost="latency", device="rpi")
    assert found.candidates[0].latency_ms == found.cost_of(found.candidates[0]) == 1e5
    assert found.candidates[0].macs != 1e5


def test_recipes_are_read_and_their_networks_built(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path)
    stale = tmp_path / "out/recipes/9.yaml"
    stale.parent.mkdir(parents=True)
    stale.touch()
    files = write_supernet_result(result(tmp_path), recipe, tmp_path / "out")
    assert not stale.exists()
    assert {file.name for file in files} == {
        "winner.yaml", "1.yaml", "2.yaml", "supernet.json", "supernet.svg"
    }  # fmt: skip
    winner = read_recipe(str(tmp_path / "out/winner.yaml"), None)
    assert winner == student_of(recipe, SMALL.largest, "tiny-1")
    assert winner.student is not None
    model = winner.student.model
    assert model is not None
    assert model.arch == ARCH
    network = create_network(model.arch, 7, model.options)
    assert isinstance(network, Mobile)
    assert winner.student.fit == recipe.student.fit  # type: ignore[union-attr]
    first = (tmp_path / "out/winner.yaml").read_text().splitlines()[0]
    assert first.startswith("# Architecture 1 ")
    assert "0.700" in first


@pytest.mark.parametrize(("images", "words"), [("none", "images that were made"),
                                               ("recipe", "validation part")])  # fmt: skip
def test_the_picture_says_what_judged(images: str, words: str, tmp_path: Path) -> None:
    write_supernet_result(result(tmp_path, images=images), recipe_of(tmp_path), tmp_path / "out")
    picture = (tmp_path / "out/supernet.svg").read_text()
    assert words in picture
    assert "the recipe itself" not in picture
    assert "widths: 4/4/6" in picture


def test_trials_for_the_picture(tmp_path: Path) -> None:
    trials = as_trials(result(tmp_path))
    assert [trial.cost for trial in trials.trials] == [
        each.macs for each in result(tmp_path).candidates
    ]
    assert genes_of(SMALL.largest) == {"widths": "6/8/12", "kernels": "3/55/555"}
