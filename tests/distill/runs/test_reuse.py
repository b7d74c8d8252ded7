"""An earlier run in the same folder: reused, written again, or replaced."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from edgekd.distill.runs.pipeline import RunRequest, train
from edgekd.policy import DEFAULT_POLICY, Policy, load_policy, policy_of_values
from edgekd.recipe import Recipe, load_recipe
from edgekd.resources import recipe_names

Make = Callable[..., Recipe]


def run(recipe: Recipe, out: Path) -> tuple[Policy, str]:
    """The policy on the student's card, and what was reported."""
    lines: list[str] = []
    card = train(RunRequest(recipe, out, lines.append), "student")
    assert card.policy is not None
    return policy_of_values(card.policy), "\n".join(lines)


def test_another_policy_is_written_without_training_again(recipe: Make, tmp_path: Path) -> None:
    first, _ = run(recipe(), tmp_path)
    assert first == load_policy(DEFAULT_POLICY)
    weights = (tmp_path / "model.safetensors").read_bytes()
    second, lines = run(recipe(policy="fundus"), tmp_path)
    assert second == load_policy("fundus") != first
    assert "has another policy; made again from its weights" in lines
    assert "epoch" not in lines
    assert (tmp_path / "model.safetensors").read_bytes() == weights
    assert "reused" in run(recipe(policy="fundus"), tmp_path)[1]


def test_the_default_of_recipes_is_that_of_policies() -> None:
    (field,) = (one for one in msgspec.structs.fields(Recipe) if one.name == "policy")
    assert field.default == DEFAULT_POLICY


def test_every_shipped_recipe_names_the_policy_of_its_domain() -> None:
    fundus = {"aptos2019-kd", "idrid-crckd", "idrid-kd", "idrid-mean-teacher", "idrid-ssl-kd"}
    named = {name: load_recipe(name).policy for name in recipe_names()}
    assert {name for name, policy in named.items() if policy == "fundus"} == fundus
    assert {named[name] for name in named.keys() - fundus} == {DEFAULT_POLICY}
