"""Tables as Parquet files, whose values become the texts that a CSV would hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgekd.data.table_text import bytes_of
from edgekd.errors import InputError, MissingDependencyError

__all__ = ["PARQUET_SUFFIXES", "parquet_records"]

PARQUET_SUFFIXES = (".parquet", ".pq")


def parquet_records(file: Path) -> Iterator[list[str]]:
    """The names of the columns, then the cells of each row.

    A missing value is an empty text, true and false are `true` and `false`, a list is joined by
    semicolons as findings are.

    Raises:
        InputError: The file is missing, or is no Parquet file.
        MissingDependencyError: pyarrow is not installed.
    """
    try:
        import pyarrow  # type: ignore[import-not-found, import-untyped, unused-ignore]
        from pyarrow import parquet
    except ImportError as error:
        raise MissingDependencyError("pyarrow", "parquet", "read Parquet") from error
    content = pyarrow.BufferReader(bytes_of(file))
    try:
        table = parquet.read_table(content)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        why = " ".join(str(error).split())
        message = f"the table {file} cannot be read as Parquet: {why}"
        raise InputError(message, "write it again, or give a CSV") from error
    yield list(table.column_names)
    columns = [column.to_pylist() for column in table.columns]
    yield from (list(map(_text, values)) for values in zip(*columns, strict=True))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ";".join(map(_text, value))
    return str(value)
