"""Names that look alike, and those that do not."""

from __future__ import annotations

from pathlib import Path

import pytest
from labelled_tables import evaluated, refusal, table, trained

from edgekd.data.text import marked, near_name
from edgekd.errors import InputError


@pytest.mark.parametrize(
    ("one", "other"),
    [("mel", "MEL"), ("basal cell", "basal_cell"), ("basal cell", "basal  cell"), ("1", "1.0"),
     ("1", "01"), ("ß", "SS"), ("A", "Ａ"), ("in-situ", "In situ")],
)  # fmt: skip
def test_classes_that_look_alike_are_refused(root: Path, one: str, other: str) -> None:
    file = table(root, "image,label", f"a.jpg,{one}", f"b.jpg,{other}", "c.jpg,x")
    error = refusal(trained, file)
    assert "classes that look alike" in error.message
    assert repr(one) in error.message
    assert repr(other) in error.message
    error = refusal(trained, file, classes=[one, "x"])
    assert f"did you mean {one!r}?" in error.hint
    assert f"did you mean {one!r}?" in refusal(evaluated, file, classes=(one, "x")).hint


@pytest.mark.parametrize(
    ("one", "other"),
    [("HER2+", "HER2-"), ("1", "-1"), ("a", "b"), ("10", "1"), ("1234567", "1234568")],
)
def test_classes_that_differ_stay_two(root: Path, one: str, other: str) -> None:
    file = table(root, "image,label", f"a.jpg,{one}", f"b.jpg,{other}")
    assert {label for _, label in trained(file)} == {one, other}


@pytest.mark.parametrize(
    ("cells", "columns"),
    [({"a": "1", "b": "0"}, ["a"]), ({"a": "TRUE", "b": "Yes"}, ["a", "b"]), ({"a": "0.0"}, [])],
)
def test_marked_columns(cells: dict[str, str], columns: list[str]) -> None:
    assert marked(cells) == columns


@pytest.mark.parametrize("cell", ["", "x", "2", "0.5"])
def test_cells_that_mark_nothing_sure(cell: str) -> None:
    with pytest.raises(InputError, match="in the column 'b'"):
        marked({"a": "1", "b": cell})


def test_near_name() -> None:
    assert near_name("MEL", ["nv", "mel"]) == "did you mean 'mel'? "
    assert near_name("zzz", ["nv", "mel"]) == ""
