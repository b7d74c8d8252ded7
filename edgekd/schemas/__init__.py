"""JSON Schemas (2020-12) of the files that people and programs write and read.

They are made of the types, with the meaning of each key from the docstrings. Those of edgekd's own
keys are published beside this module as `KIND.schema.json`, which recipes name for editors.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

from edgekd.schemas.meanings import schema_with_meanings

__all__ = ["KINDS", "Kind", "published", "schema_of"]

Kind = Literal["recipe", "manifest", "result", "policy", "vectors"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(kind: Kind) -> dict[str, Any]:
    """The schema of a kind of file, with the sources and methods of installed packages.

    Where PyTorch is not installed, the keys of methods are those of the published schema.
    """
    if kind == "recipe" and find_spec("torch") is None:
        return _read(published(kind))
    schema = _SCHEMAS[kind]()
    return {"$schema": _DIALECT, "title": f"edgekd {kind}", **schema}


def published(kind: Kind) -> Path:
    """The file of a schema in the package."""
    return Path(__file__).parent / f"{kind}.schema.json"


def _read(file: Path) -> dict[str, Any]:
    return msgspec.json.decode(file.read_bytes(), type=dict[str, Any])


def _recipe() -> dict[str, Any]:
    from edgekd.schemas.recipe import recipe_schema

    return recipe_schema()


def _manifest() -> dict[str, Any]:
    from edgekd.bundle.manifest import Manifest

    return schema_with_meanings(Manifest)


def _result() -> dict[str, Any]:
    from edgekd.bench.result import Result

    return schema_with_meanings(Result)


def _policy() -> dict[str, Any]:
    from edgekd.policy import Policy

    return schema_with_meanings(Policy)


def _vectors() -> dict[str, Any]:
    from edgekd.conformance.format import Vectors

    return schema_with_meanings(Vectors)


_SCHEMAS = {
    "recipe": _recipe,
    "manifest": _manifest,
    "result": _result,
    "policy": _policy,
    "vectors": _vectors,
}
