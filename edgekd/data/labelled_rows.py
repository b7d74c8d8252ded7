"""Rows of a table of labelled images, checked: for training and for evaluation alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekd.data.image_files import ImageFiles, locate_images
from edgekd.data.row_rules import RowRules, whole_numbers
from edgekd.data.table import INFERRED, Dialect, Row, Table, read_table
from edgekd.data.task import DataTask, LabelProblem, data_task
from edgekd.data.text import clean, is_missing
from edgekd.errors import InputError
from edgekd.extensions.tasks import DEFAULT_TASK

__all__ = ["LabelledRow", "LabelledTable", "labelled_rows"]


_NO_RULES = RowRules()


@dataclass(frozen=True)
class LabelledRow:
    """One image of a table: its path below the root, its label as text, and its whole row."""

    image: str
    label: str
    row: Row


@dataclass(frozen=True)
class LabelledTable:
    """The images of a table.

    Attributes:
        rows: Its rows, in its order.
        notes: Sentences on what was guessed, left out or not used.
    """

    rows: tuple[LabelledRow, ...]
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[LabelledRow]:
        """The rows."""
        return iter(self.rows)

    @property
    def labels(self) -> list[str]:
        """The label of each row."""
        return [row.label for row in self.rows]


def labelled_rows(
    file: Path,
    images: ImageFiles,
    *,
    image_column: str,
    label_column: str | Sequence[str],
    columns: Sequence[str] = (),
    classes: Sequence[str] | None = None,
    hint: str = "correct the line, or give the folder of the images",
    task: str = DEFAULT_TASK,
    rules: RowRules = _NO_RULES,
    dialect: Dialect = INFERRED,
) -> LabelledTable:
    """The table's images and labels, in its order.

    Args:
        file: The table; see `read_table`.
        images: The image files; the table may leave out their suffix.
        image_column: Names of the images.
        label_column: The column of the labels; or several, which the task makes one label of.
        columns: Further columns that the table must have.
        classes: The classes that may occur; by default any.
        hint: What to do where an image is missing.
        task: Name of the task, which says what a label is.
        rules: Rows to leave out and labels to rename.
        dialect: Separator and encoding of the table; by default as they are inferred.

    Raises:
        InputError: The table or a column is missing; an image is named twice; a label is missing,
            is no label of the task, or none of `classes`; or all rows are left out.
        ImageError: Images are missing: the first and how many more.
    """
    labelled_by = [label_column] if isinstance(label_column, str) else list(label_column)
    expected = (image_column, *labelled_by, *columns, *rules.columns)
    table = read_table(file, expected, dialect=dialect)
    single = isinstance(label_column, str)
    reader = _Labels(
        file, clean(image_column), list(map(clean, labelled_by)), single, data_task(task)
    )
    labelled, notes = _selected(table, reader, rules, classes)
    named = [(row.line, row[reader.image]) for row, _ in labelled]
    paths = locate_images(file, named, images, hint)
    pairs = zip(paths, labelled, strict=True)
    rows = tuple(LabelledRow(path, label, row) for path, (row, label) in pairs)
    return LabelledTable(rows, (*table.notes, *notes))


def _selected(
    table: Table, reader: _Labels, rules: RowRules, classes: Sequence[str] | None
) -> tuple[list[tuple[Row, str]], list[str]]:
    """The rows that stay with their labels, and notes on the others.

    Raises:
        InputError: A label cannot be used, or no row stays.
    """
    reasons = [rules.drops_row(row) for row in table]
    rows = [row for row, reason in zip(table, reasons, strict=True) if not reason]
    written = whole_numbers([reader.read(row) for row in rows], classes)
    unwelcome = [rules.drops_label(label, reader.task) for label in written]
    labelled = [
        (row, reader.checked(row, rules.renamed(label, reader.task), classes))
        for row, label, reason in zip(rows, written, unwelcome, strict=True)
        if not reason
    ]
    if not labelled:
        raise InputError(f"`data.drop` leaves out every row of {reader.file}", "drop less")
    dropped = [reason for reason in (*reasons, *unwelcome) if reason]
    return labelled, rules.notes(dropped, written, reader.task)


@dataclass(frozen=True)
class _Labels:
    """Reads the labels of rows; errors name the line.

    Attributes:
        file: The table.
        image: Its column of images.
        columns: Its columns of labels.
        single: Whether a cell is a label, rather than a mark for one.
        task: The data layer of the task.
    """

    file: Path
    image: str
    columns: list[str]
    single: bool
    task: DataTask

    def read(self, row: Row) -> str:
        """The label of a row."""
        if self.single:
            return row[self.columns[0]]
        try:
            return self.task.label_of({name: row[name] for name in self.columns})
        except InputError as error:
            raise self._of_row(row, error.message, error.hint) from error

    def checked(self, row: Row, label: str, classes: Sequence[str] | None) -> str:
        """The label, if it is one.

        Raises:
            InputError: It is missing, no label of the task, or none of the classes.
        """
        problem = self.task.problem_with(label, classes)
        if problem is None and label and classes is None and is_missing(label):
            phrase = f"the label {label!r}, which stands for a missing value"
            hint = "remove the row; if it is a class, name it in `data.classes`"
            problem = LabelProblem(phrase, hint)
        if problem is not None:
            raise self._of_row(row, problem.phrase, problem.hint)
        return label

    def _of_row(self, row: Row, phrase: str, hint: str) -> InputError:
        message = f"line {row.line} of {self.file} has {phrase}, for {row[self.image]}"
        return InputError(message, hint)
