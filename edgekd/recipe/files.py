"""Recipes as YAML files, and the overrides of the command line."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from edgekd.errors import InputError, MissingDependencyError
from edgekd.extensions.tasks import TASKS
from edgekd.recipe.recipe import Recipe
from edgekd.recipe.section import convert
from edgekd.resources import recipe_file, recipe_names

__all__ = ["load_recipe", "parse_yaml", "recipe_of"]


def load_recipe(name: str, overrides: list[str] | None = None) -> Recipe:
    """Read a recipe.

    Args:
        name: Path of a YAML file, or the name of a recipe that edgekd ships.
        overrides: `section.key=value` texts, applied in order; values are YAML.

    Raises:
        InputError: There is no such recipe, it is not YAML, or a key or value is wrong (the
            nearest right one is named).
    """
    path = Path(name)
    if not path.is_file():
        path = recipe_file(name) or path
    if not path.is_file():
        message = f"there is no recipe {name!r}"
        raise InputError(message, f"give a YAML file, or one of: {', '.join(recipe_names())}")
    raw = parse_yaml(path.read_bytes(), str(path))
    if not isinstance(raw, dict):
        raise InputError(f"the recipe {path} is not a mapping", "start it with `name: …`")
    return recipe_of(raw, overrides, f"the recipe {path}")


def recipe_of(raw: dict[str, Any], overrides: list[str] | None, where: str) -> Recipe:
    """A recipe of plain values.

    Args:
        raw: Its keys, which the overrides change.
        overrides: See `load_recipe`.
        where: What it is, for messages.

    Raises:
        InputError: A key or value is wrong.
    """
    for override in overrides or []:
        _apply(raw, override)
    recipe = convert(raw, Recipe, where)
    try:
        TASKS.check(recipe.task)
    except InputError as error:
        raise InputError(f"{where}: {error.message} (at task)", error.hint) from None
    return recipe


def parse_yaml(text: str | bytes, where: str) -> Any:
    """The plain values of a YAML text, by PyYAML's safe loader.

    Args:
        text: The text.
        where: What it is, for messages.

    Raises:
        InputError: It is not YAML, or a key is repeated.
        MissingDependencyError: PyYAML is not installed.
    """
    try:
        import yaml
    except ImportError as error:
        raise MissingDependencyError("pyyaml", "distill", "read recipes") from error
    try:
        return yaml.load(text, _loader())
    except Exception as error:  # its constructors raise nearly anything, e.g. for 2024-99-99
        line = " ".join(str(error).split())
        raise InputError(f"{where} is not YAML: {line}", "correct it") from error


@cache
def _loader() -> Any:
    """PyYAML's safe loader, made to refuse repeated keys, of which it keeps the last."""
    import yaml

    class Loader(yaml.SafeLoader):
        def compose_mapping_node(self, anchor: Any) -> Any:
            node = super().compose_mapping_node(anchor)
            keys = [(key.tag, key.value) for key, _ in node.value if key.id == "scalar"]
            twice = next((key for tag, key in keys if keys.count((tag, key)) > 1), None)
            if twice is not None:
                where = node.start_mark.line + 1
                raise yaml.YAMLError(f"the key {twice!r} is there twice below line {where}")
            return node

    return Loader


def _apply(raw: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals:
        message = f"the override {override!r} is not of the form section.key=value"
        raise InputError(message, "write e.g. --set student.fit.epochs=20")
    *sections, last = key.strip().split(".")
    for section in sections:
        inner = raw.setdefault(section, {})
        if not isinstance(inner, dict):
            raise InputError(f"{section!r} in {override!r} is not a section", "check the key")
        raw = inner
    raw[last] = parse_yaml(value, f"the value of {override!r}")
