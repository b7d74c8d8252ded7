"""`edgekd schema`."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from edgekd.cli.console import emit_json

__all__ = ["schema"]


class KindName(str, Enum):
    """A kind of file."""

    recipe = "recipe"
    manifest = "manifest"
    result = "result"
    policy = "policy"
    vectors = "vectors"


def schema(
    kind: Annotated[
        KindName,
        typer.Argument(
            help="recipe; manifest of a bundle; result of eval and bench; policy, as the keys of "
            "its TOML file; vectors of `edgekd conformance`."
        ),
    ],
) -> None:
    """Print the JSON Schema (2020-12) of a kind of file, for editors and other programs.

    For a recipe beside it: `edgekd schema recipe > recipe.schema.json`, and as its first line
    `# yaml-language-server: $schema=recipe.schema.json`.
    """
    from edgekd.schemas import schema_of

    emit_json(schema_of(kind.value))
