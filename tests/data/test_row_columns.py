"""Group, part and weight of a row."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekd.data.row_columns import RowColumns
from edgekd.data.table import Row
from edgekd.errors import InputError

FILE = Path("t.csv")
COLUMNS = RowColumns("patient", "part", "w")


def row(**cells: str) -> Row:
    return Row(cells, cells, 7)


def test_cells() -> None:
    line = row(patient="P 1", part="Val", w="2.5")
    assert COLUMNS.names == ["patient", "part", "w"]
    assert COLUMNS.group(line) == "P 1"
    assert COLUMNS.part(line, FILE) == "validation"
    assert COLUMNS.weight(line, FILE) == 2.5


def test_without_columns() -> None:
    line, columns = row(), RowColumns()
    assert columns.names == []
    assert (columns.group(line), columns.part(line, FILE), columns.weight(line, FILE)) == (
        "", "", 1.0,
    )  # fmt: skip


@pytest.mark.parametrize("weight", ["", "-1", "nan", "inf", "much"])
def test_a_weight_that_is_none_is_named_with_its_line(weight: str) -> None:
    with pytest.raises(InputError, match=r"line 7 of t\.csv has the weight"):
        COLUMNS.weight(row(w=weight), FILE)


def test_a_part_that_is_none_is_named_with_its_line() -> None:
    with pytest.raises(InputError, match=r"line 7 of t\.csv has the part 'third'"):
        COLUMNS.part(row(part="third"), FILE)
