"""Tables of images: CSV as spreadsheets, pandas and archives write it; errors name the line."""

from __future__ import annotations

import csv
import difflib
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekd.data.parquet import PARQUET_SUFFIXES, parquet_records
from edgekd.data.table_text import text_of
from edgekd.data.text import clean
from edgekd.errors import InputError

__all__ = ["INFERRED", "Dialect", "Row", "Table", "read_table"]

_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class Dialect:
    """How a table is written; None infers it.

    Attributes:
        separator: The character between cells.
        encoding: Name of the encoding.
    """

    separator: str | None = None
    encoding: str | None = None


INFERRED = Dialect()


class Row(dict[str, str]):
    """A row's cells by column.

    Attributes:
        line: Number of the line on which the row begins, from 1.
        written: The cells as they stand in the file.
    """

    def __init__(self, cells: dict[str, str], written: dict[str, str], line: int) -> None:
        super().__init__(cells)
        self.written = written
        self.line = line


class Table(list[Row]):
    """The rows of a table.

    Attributes:
        notes: Sentences on what was guessed, for whoever uses the table.
    """

    def __init__(self, rows: Iterable[Row], notes: Sequence[str] = ()) -> None:
        super().__init__(rows)
        self.notes = tuple(notes)


def read_table(
    file: Path, columns: Sequence[str], *, verbatim: bool = False, dialect: Dialect = INFERRED
) -> Table:
    """The rows of a table with a header line, or of a Parquet file (by its suffix).

    Unless the dialect says otherwise, text is UTF-8, UTF-16 with its mark, or Windows-1252;
    separated by commas, semicolons, tabs or bars, whichever gives the columns. Cells are
    `clean`ed; blank lines and columns without a name are left out.

    Args:
        file: The table.
        columns: Columns that it must have.
        verbatim: The table was written by edgekd: cells stay as they are.
        dialect: Separator and encoding, where they are known.

    Raises:
        InputError: It is missing, empty, not such a text, has a column twice or lacks one (the
            nearest name is suggested), or a row is shorter or longer than the header.
        MissingDependencyError: It is Parquet, and pyarrow is not installed.
    """
    tidy: Callable[[str], str] = str if verbatim else clean
    expected = [tidy(name) for name in columns]
    notes: list[str] = []
    if file.suffix.casefold() in PARQUET_SUFFIXES:
        records = list(enumerate(parquet_records(file)))
    else:
        text, *notes = text_of(file, dialect.encoding)
        records = _records(file, text, expected, dialect.separator, verbatim)
    header, rows = [tidy(cell) for cell in records[0][1]], records[1:]
    _refuse_header(file, header, expected)
    kept_rows = [
        _row(file, line, header, cells, tidy)
        for line, cells in rows
        if verbatim or any(cell.strip() for cell in cells)
    ]
    if not kept_rows:
        raise InputError(f"the table {file} has no rows", "it needs a header line and one row each")
    return Table(kept_rows, [note for note in notes if note])


def _records(
    file: Path, text: str, columns: Sequence[str], separator: str | None, verbatim: bool
) -> list[tuple[int, list[str]]]:
    """Line and cells of every record, by the separator that is given or gives the columns."""
    skipped = 0
    if text[:4].lower() == "sep=":  # a line that Excel writes and takes for itself
        first, _, text = text.partition("\n")
        separator, skipped = separator or first[4:5] or ",", 1
    separator = separator or _delimiter(text, columns, verbatim)
    try:
        records = [(line + skipped, cells) for line, cells in _parsed(text, separator, verbatim)]
    except csv.Error as error:
        raise InputError(
            f"the table {file} cannot be read: {error}",
            'look for a cell whose quote " is not closed',
        ) from error
    if not records:
        raise InputError(f"the table {file} has no rows", "it needs a header line and one row each")
    return records


def _delimiter(text: str, columns: Sequence[str], verbatim: bool) -> str:
    headers: dict[str, list[str]] = {}
    for delimiter in _DELIMITERS:
        try:
            headers[delimiter] = next(_parsed(text, delimiter, verbatim), (0, []))[1]
        except csv.Error:
            continue
        if columns and set(columns) <= {clean(cell) for cell in headers[delimiter]}:
            return delimiter
    return max(headers, key=lambda one: len(headers[one]), default=",")


def _parsed(text: str, delimiter: str, verbatim: bool) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line it begins on; a quoted cell may have several lines."""
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        strict=True,
        skipinitialspace=not verbatim,  # else a quote after a space does not begin a quoted cell
    )
    begins = 1
    try:
        for cells in reader:
            if cells:
                yield begins, cells
            begins = reader.line_num + 1
    except csv.Error as error:
        raise csv.Error(f"{error} (in the row that begins on line {begins})") from None


def _refuse_header(file: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    for name in columns:
        if name not in header:
            by_case = {one.casefold(): one for one in header if one}
            near = difflib.get_close_matches(name.casefold(), by_case, n=1)
            hint = f"did you mean {by_case[near[0]]!r}? " if near else ""
            message = f"the table {file} has no column {name!r}"
            raise InputError(message, f"{hint}its columns are: {', '.join(header)}")
    twice = [name for name, count in Counter(header).items() if name and count > 1]
    if twice:
        raise InputError(f"the table {file} has two columns {twice[0]!r}", "rename one of them")


def _row(
    file: Path, line: int, header: Sequence[str], cells: list[str], tidy: Callable[[str], str]
) -> Row:
    while len(cells) > len(header) and not cells[-1].strip():
        cells.pop()  # separators at the end of the line
    if len(cells) != len(header):
        count = "more" if len(cells) > len(header) else "fewer"
        message = f"line {line} of {file} has {count} columns than the header"
        raise InputError(message, "correct the line")
    written = {name: cell for name, cell in zip(header, cells, strict=True) if name}
    return Row({name: tidy(cell) for name, cell in written.items()}, written, line)
