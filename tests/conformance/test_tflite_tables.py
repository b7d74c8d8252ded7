"""The tables by which the Kotlin runtime checks LiteRT files are those of the installed package."""

from __future__ import annotations

import pytest
from conformance.make_tflite_tables import OUT, generated, tables_of


def test_tables_are_current() -> None:
    """`python tests/conformance/make_tflite_tables.py`, after another version of ai-edge-litert."""
    pytest.importorskip("ai_edge_litert", reason="needs pip install 'edgekd[tflite]'")
    assert OUT.read_text() == tables_of(generated())


def test_every_table_and_union_is_there() -> None:
    lines = [line.split() for line in OUT.read_text().splitlines()]
    names = {line[0] for line in lines}
    assert {"Model", "SubGraph", "Tensor", "Operator", "<BuiltinOptions"} <= names
    for name, *entries in lines:
        for entry in entries:
            kind = entry.split(":")[1].removeprefix("[")
            assert kind in names or kind.isdigit() or kind == "s", (name, entry)


def test_kinds_of_fields() -> None:
    tables = dict(line.split(" ", 1) for line in OUT.read_text().splitlines() if " " in line)
    assert tables["Buffer"] == "4:[1 6:8 8:8"
    assert tables["SubGraph"] == "4:[Tensor 6:[4 8:[4 10:[Operator 12:s 14:4"
    assert "12:<BuiltinOptions" in tables["Operator"].split()
    assert "14:<QuantizationDetails" in tables["QuantizationParameters"].split()
