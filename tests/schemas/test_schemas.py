"""The published schemas: current, valid, and true of what edgekd ships and writes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from manifests import make_manifest

from edgekd import schemas
from edgekd.files import pretty_json
from edgekd.resources import policy_files, recipe_file, recipe_names
from edgekd.schemas import KINDS, Kind, published, schema_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def validator(kind: Kind) -> Any:
    jsonschema = pytest.importorskip("jsonschema", reason="pip install jsonschema")
    schema = json.loads(published(kind).read_bytes())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("kind", KINDS)
def test_published_schemas_are_current(kind: Kind) -> None:
    """`edgekd schema KIND > edgekd/schemas/KIND.schema.json` makes one again."""
    assert json.loads(published(kind).read_bytes()) == json.loads(pretty_json(schema_of(kind)))


@pytest.mark.parametrize("kind", KINDS)
def test_schemas_are_of_the_dialect_and_describe_keys(kind: Kind) -> None:
    schema = json.loads(published(kind).read_bytes())
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == f"edgekd {kind}"
    keys = [key for part in schema["$defs"].values() for key in part.get("properties", {}).values()]
    described = sum("description" in key for key in keys)
    people_write_it = kind in ("recipe", "policy")
    assert described > (0.9 if people_write_it else 0.2) * len(keys)


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipes_are_valid(name: str) -> None:
    file = recipe_file(name)
    assert file is not None
    assert list(validator("recipe").iter_errors(yaml.safe_load(file.read_text()))) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("image_sizes", 64),
        ("data", {"source": "csv"}),
        ("data", {"source": "ham10000", "root": ".", "rooot": "."}),
        ("data", {"source": "nowhere"}),
        ("method", {"name": "kd", "temprature": 2}),
        ("split", {"validation": 1.5}),
    ],
)
def test_wrong_keys_are_invalid(key: str, value: Any) -> None:
    right = {"name": "x", "data": {"source": "ham10000", "root": ".", "attributes": ["age"]}}
    check = validator("recipe")
    assert list(check.iter_errors(right)) == []
    assert list(check.iter_errors(right | {key: value}))


def test_the_policies_results_and_manifests_of_edgekd_are_valid() -> None:
    for file in policy_files().values():
        errors = list(validator("policy").iter_errors(tomllib.loads(file.read_text())))
        assert errors == [], file
    manifest = json.loads(pretty_json(make_manifest()))
    assert list(validator("manifest").iter_errors(manifest)) == []


def test_committed_results_are_valid() -> None:
    results = Path(__file__).parents[2] / "benchmarks" / "results"
    current = [
        document
        for file in sorted(results.glob("*.json"))
        for document in [json.loads(file.read_bytes())]
        if isinstance(document, dict) and document.get("schema_version") == "1.5"
    ]
    for document in current:
        assert list(validator("result").iter_errors(document)) == []


def test_without_torch_the_published_recipe_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schemas, "find_spec", lambda name: None)
    assert schema_of("recipe") == json.loads(published("recipe").read_bytes())
