"""Encodings of tables, given and inferred."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekd.data.table_text import text_of
from edgekd.errors import InputError

TEXT = "image,label\na.jpg,Größe – „naevus“\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings_that_are_inferred(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(TEXT.encode(encoding))
    text, note = text_of(file)
    assert text == TEXT
    assert bool(note) == (encoding == "cp1252")
    assert not note or "t.csv is not UTF-8 and was read as Windows-1252: 'a.jpg,Größe'" in note


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252", "latin-1", "mac-roman"])
def test_encodings_that_are_given(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "t.csv"
    text = "image,label\na.jpg,Größe\n"
    file.write_bytes(text.encode(encoding))
    assert text_of(file, encoding) == (text, "")


@pytest.mark.parametrize(
    ("content", "encoding", "message", "hint"),
    [
        (b"a\n\xff", "utf-8", "line 2 is not utf-8", "data.encoding"),
        (b"a", "utf-88", "there is no encoding 'utf-88'", "utf-16"),
        (b"\xd0\xcf\x11\xe0", None, "it is a workbook", "CSV in UTF-8"),
        (b"a\n\x00", None, "it is not text", "CSV in UTF-8"),
        (b"\xef\xbb\xbf\xff", None, "line 1 is not utf-8-sig", "CSV in UTF-8"),
    ],
)
def test_what_is_refused(
    tmp_path: Path, content: bytes, encoding: str | None, message: str, hint: str
) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(content)
    with pytest.raises(InputError) as caught:
        text_of(file, encoding)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_table_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        text_of(tmp_path / "t.csv")
