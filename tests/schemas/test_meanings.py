"""Meanings of keys from docstrings."""

from __future__ import annotations

import msgspec

from edgekd.schemas.meanings import meanings_of, schema_with_meanings, summary_of


class Inner(msgspec.Struct):
    """A part.

    Attributes:
        depth: How deep,
            in layers: a number.

    Source: a paper.
    """

    depth: int = 1


class Base(msgspec.Struct):
    """A base.

    Attributes:
        width: How wide.
    """

    width: int = 2


class Outer(Base):
    """The whole of it,
    in two lines.

    More of it.

    Attributes:
        inner: The part.
    """

    inner: Inner | None = None
    plain: dict[str, tuple[Inner, ...]] = {}


def test_meanings_of_a_type_and_of_those_it_extends() -> None:
    assert meanings_of(Inner) == {"depth": "How deep, in layers: a number."}
    assert meanings_of(Outer) == {"width": "How wide.", "inner": "The part."}
    assert meanings_of(type("Bare", (), {})) == {}


def test_the_summary_is_the_first_paragraph() -> None:
    assert summary_of(Outer) == "The whole of it, in two lines."


def test_the_schema_has_them_for_every_struct_within() -> None:
    schema = schema_with_meanings(Outer)
    outer, inner = schema["$defs"]["Outer"], schema["$defs"]["Inner"]
    assert outer["description"] == "The whole of it, in two lines."
    assert outer["properties"]["width"]["description"] == "How wide."
    assert inner["properties"]["depth"]["description"] == "How deep, in layers: a number."
    assert "description" not in outer["properties"]["plain"]
