"""The recipe of a command, with all that can be told of it before torch is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgekd.recipe import Recipe

__all__ = ["read_recipe"]


def read_recipe(name: str, overrides: list[str] | None) -> Recipe:
    """Read a recipe, and look at the names in it.

    Args:
        name: See `load_recipe`.
        overrides: Likewise.

    Raises:
        InputError: See `load_recipe`; or there is no such method, or no such data source, or one
            of the source's keys is wrong.
    """
    from edgekd.data.sources import resolve_source
    from edgekd.distill.known_methods import method_name
    from edgekd.recipe import load_recipe

    recipe = load_recipe(name, overrides)
    method_name(recipe.method)
    resolve_source(recipe.data, recipe.task)
    return recipe
