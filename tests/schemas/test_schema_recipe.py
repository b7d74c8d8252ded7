"""The schema of recipes: a choice for each data source and for each method."""

from __future__ import annotations

from edgekd.extensions.methods import METHODS
from edgekd.extensions.sources import SOURCES
from edgekd.schemas.recipe import recipe_schema


def test_sources_and_methods_have_their_own_keys() -> None:
    keys = recipe_schema()["$defs"]["Recipe"]["properties"]
    sources = {one["properties"]["source"]["const"]: one for one in keys["data"]["oneOf"]}
    assert list(sources) == SOURCES.names()
    table = sources["csv"]
    assert table["required"] == ["source", "file"]
    assert "label_map" in table["properties"]
    assert {"merge", "subclasses", "attributes"} <= set(sources["folder"]["properties"])
    assert "`source` and that source's" in keys["data"]["description"]
    methods = {one["properties"]["name"]["const"]: one for one in keys["method"]["oneOf"]}
    assert list(methods) == METHODS.names()
    assert "temperature" in methods["kd"]["properties"]
    assert methods["kd"]["additionalProperties"] is False
