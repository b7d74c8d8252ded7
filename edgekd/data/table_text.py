"""The text of a table's file: its encoding, given or inferred from its bytes."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import NamedTuple

from edgekd.errors import InputError

__all__ = ["TableText", "bytes_of", "text_of"]

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""How .xlsx and .ods, and .xls, begin."""
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f]")
_HINT = "save it as CSV in UTF-8, or give `data.encoding`"


class TableText(NamedTuple):
    """The text of a table, and a sentence where its encoding was a guess; else ""."""

    text: str
    note: str = ""


def bytes_of(file: Path) -> bytes:
    """The content of a table's file.

    Raises:
        InputError: It is missing or cannot be read.
    """
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise InputError(f"the table {file} does not exist", "check the path") from None
    except (OSError, ValueError) as error:  # the second: a name that holds a zero byte
        why = error.strerror if isinstance(error, OSError) else str(error)
        message = f"the table {file} cannot be read: {why}"
        raise InputError(message, "give a file that you may read") from error


def text_of(file: Path, encoding: str | None = None) -> TableText:
    """The text of a table.

    Args:
        file: The table.
        encoding: A name that Python knows. None infers it: by the mark at the beginning (UTF-8,
            UTF-16), else UTF-8 where the bytes are, else Windows-1252, of which a note informs.

    Raises:
        InputError: The file cannot be read, is not text, or not of that encoding.
    """
    data = bytes_of(file)
    if data.startswith(_WORKBOOKS):
        raise InputError(f"the table {file} cannot be read: it is a workbook", _HINT)
    named = encoding or next((name for mark, name in _MARKS.items() if data.startswith(mark)), None)
    text = _decoded(file, data, named or "utf-8", final=named is not None)
    note = ""
    if text is None:
        text = _decoded(file, data, "cp1252", final=False)
        if text is None or _CONTROLS.search(text):
            raise _undecodable(file, data, "UTF-8")
        example = next(word for word in text.split() if not word.isascii())
        note = f"{file.name} is not UTF-8 and was read as Windows-1252: {example[:40]!r}"
    if "\0" in text:
        raise InputError(f"the table {file} cannot be read: it is not text", _HINT)
    return TableText(text.removeprefix("\ufeff"), note)


def _decoded(file: Path, data: bytes, encoding: str, *, final: bool) -> str | None:
    """The text; None where the bytes are of another encoding, which is an error if `final`."""
    try:
        return data.decode(encoding)
    except LookupError as error:
        message = f"there is no encoding {encoding!r} (at data.encoding)"
        raise InputError(message, "give a name such as utf-8, utf-16 or cp1252") from error
    except UnicodeError as error:
        if final:
            raise _undecodable(file, data, encoding) from error
        return None


def _undecodable(file: Path, data: bytes, encoding: str) -> InputError:
    try:
        data.decode(encoding)
        line = 1
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
    message = f"the table {file} cannot be read: line {line} is not {encoding}"
    return InputError(message, _HINT)
