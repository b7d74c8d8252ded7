"""The recipe of a command, with every check that needs no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgekd.recipe import Recipe

__all__ = ["read_recipe"]


def read_recipe(name: str, overrides: list[str] | None) -> Recipe:
    """Read a recipe and check the names in it.

    Args:
        name: See `load_recipe`.
        overrides: See `load_recipe`.

    Raises:
        InputError: See `load_recipe`; or there is no such policy, method or data source, or one of
            the source's keys is wrong.
    """
    from edgekd.data.sources import resolve_source
    from edgekd.extensions.methods import method_name
    from edgekd.policy import load_policy
    from edgekd.recipe import load_recipe

    recipe = load_recipe(name, overrides)
    load_policy(recipe.policy)
    method_name(recipe.method)
    resolve_source(recipe.data, recipe.task)
    return recipe
