"""CSV tables of images: columns looked up by name, mistakes told by name."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Sequence
from pathlib import Path

from edgekd.errors import InputError

__all__ = ["IMAGE_SUFFIXES", "read_table", "require_columns", "resolve_image"]

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def read_table(file: Path) -> list[dict[str, str]]:
    """The rows of a CSV file with a header line.

    Raises:
        InputError: It is missing, empty, not text, or a row is shorter or longer than the header.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except FileNotFoundError:
        raise InputError(f"the table {file} does not exist", "check the path") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"the table {file} cannot be read: {error}", "save it as UTF-8 CSV"
        ) from error
    if not rows:
        raise InputError(f"the table {file} has no rows", "it needs a header line and one row each")
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            count = "more" if None in row else "fewer"
            message = f"line {number} of {file} has {count} columns than the header"
            raise InputError(message, "correct the line")
    return rows


def require_columns(file: Path, rows: Sequence[dict[str, str]], names: Sequence[str]) -> None:
    """Refuse a table that lacks one of the columns.

    Raises:
        InputError: Names the missing column, and the nearest one that is there.
    """
    there = [name for name in rows[0] if name is not None]
    for name in names:
        if name not in there:
            near = difflib.get_close_matches(name, there, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            message = f"the table {file} has no column {name!r}"
            raise InputError(message, f"{hint}its columns are: {', '.join(there)}")


def resolve_image(root: Path, value: str) -> str | None:
    """The path below `root` of the image that a table cell names, with or without its suffix."""
    for folder in ("", "images/"):
        for suffix in ("", *IMAGE_SUFFIXES):
            relative = f"{folder}{value}{suffix}"
            if value and (root / relative).is_file():
                return relative
    return None
