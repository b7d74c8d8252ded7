"""Tables as people, spreadsheets and archives write them; one reader for training and `eval`."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st
from labelled_tables import EXPECTED, READERS, ROWS, Read, refusal, table

from edgekd.data import load_dataset
from edgekd.data.table import read_table
from edgekd.errors import InputError


@READERS
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n", ",,\n"])
def test_dialects(read: Read, root: Path, separator: str, encoding: str, end: str) -> None:
    lines = [line.replace(",", separator) for line in ("image,label", *ROWS, ",")]
    file = table(root, *lines, encoding=encoding, end=end.replace(",", separator))
    assert read(file) == EXPECTED


@READERS
def test_quoted_cells_after_spaces(read: Read, root: Path) -> None:
    rows = ('a.jpg, "mel"', '"b.jpg", "nv"', '"c.jpg","nv"', "d.jpg,  mel")
    assert read(table(root, "image, label", *rows)) == EXPECTED


def test_a_separator_that_is_given(root: Path) -> None:
    rows = [line.replace(",", ";") for line in ROWS]
    file = table(root, "image;label", *rows)
    section = {"source": "csv", "file": str(file), "separator": ";"}
    assert len(load_dataset(section).samples) == 4
    with pytest.raises(InputError, match="has no column 'image'"):
        load_dataset(section | {"separator": "tab"})


@READERS
def test_the_line_that_excel_keeps_for_itself(read: Read, root: Path) -> None:
    lines = ["sep=;", *(line.replace(",", ";") for line in ("image,label", *ROWS, "gone,nv"))]
    assert "line 7 of" in refusal(read, table(root, *lines)).message
    assert read(table(root, *lines[:-1])) == EXPECTED


@READERS
def test_space_around_names_and_cells(read: Read, root: Path) -> None:
    rows = (" a.jpg\u00a0, mel ", "b.jpg,\u200bnv", "\ufeffc.jpg,nv\t", "d.jpg ,mel")
    assert read(table(root, "image , label", *rows)) == EXPECTED


@READERS
def test_lines_are_those_of_the_file(read: Read, root: Path) -> None:
    head = ('image,label,"a\nnote"', "", 'a.jpg,mel,"two\r\n\nlines"', "b.jpg,nv,", "")
    assert "line 9 of" in refusal(read, table(root, *head, "c.jpg")).message
    error = refusal(read, table(root, *head, 'gone.jpg,nv,"x\ny"', "no.jpg,nv,"))
    assert "line 9 of" in error.message
    assert "'gone.jpg', which is not in" in error.message
    assert "1 more: lines 11)" in error.message
    assert "line 9 of" in refusal(read, table(root, *head, "c.jpg,,")).message


CELLS = st.text(alphabet='abc.jpg,;|\t"\n\r \0é\u0301/\\#nan_-', max_size=120)


@given(st.one_of(st.binary(max_size=200), CELLS.map(lambda t: f"image,label\n{t}".encode())))
@fuzz(100)
def test_any_bytes_are_a_table_or_refused_in_two_lines(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.csv"
    file.write_bytes(content)
    refused: InputError | None = None
    rows = []
    try:
        rows = read_table(file, ("image", "label"))
    except InputError as error:
        refused = error
    assert bool(rows) == (refused is None)
    assert refused is None or (refused.hint and "\n" not in refused.message + refused.hint)
    assert all({"image", "label"} <= set(row) for row in rows)


@READERS
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"image,label\na.jpg,sch\x81n\n", "line 2 is not UTF-8"),
        (b"PK\x03\x04\xff\xfe workbook", "it is a workbook"),
        (b"image,label\na.jpg,\xff\x01\n", "line 2 is not UTF-8"),
        ("image,label\na.jpg,mel\n".encode("utf-16-le"), "it is not text"),
        (b'image,label\na.jpg,mel\n"b.jpg,nv\nc.jpg,nv\n', "begins on line 3"),
        (b'image,label\na.jpg,mel\n"b.jpg"x,nv\n', "begins on line 3"),
        (b"image,label,label\na.jpg,mel,nv\n", "two columns 'label'"),
        (b"image,label\n , \n", "has no rows"),
        (b"\n\n", "has no rows"),
        (b"Image,label\na.jpg,mel\n", "has no column 'image'"),
    ],
)
def test_tables_that_are_refused(read: Read, root: Path, content: bytes, said: str) -> None:
    file = root / "labels.csv"
    file.write_bytes(content)
    assert said in refusal(read, file).message


@READERS
def test_the_near_column_is_told_in_any_case(read: Read, root: Path) -> None:
    assert "did you mean 'IMAGE'?" in refusal(read, table(root, "IMAGE,label", *ROWS)).hint


def test_no_classes_are_not_all(root: Path) -> None:
    file = table(root, "image,label", *ROWS)
    with pytest.raises(InputError, match="classes"):
        load_dataset({"source": "csv", "file": str(file), "classes": []})


def test_a_name_that_no_file_can_have(root: Path) -> None:
    with pytest.raises(InputError, match="null byte"):
        load_dataset({"source": "csv", "file": f"{root}/a\0b.csv"})


def test_subclasses_are_read_by_the_same_rules(root: Path) -> None:
    file = table(root, "image,label,site", *(f"{r},{s}" for r, s in zip(ROWS, "xyxy", strict=True)))
    finer = root / "finer.tsv"
    finer.write_text("image\tsubclass\n" + "".join(f".\\{n}.JPG\t s \n" for n in "abcd"))
    section = {"source": "csv", "file": str(file)}
    with pytest.raises(InputError, match=r"no subclass for the image a\.jpg"):
        load_dataset(section | {"subclasses": {"file": str(finer)}})
    finer.write_text("image;subclass\n" + "".join(f"./{n}.jpg; s \n" for n in "abcd"))
    found = load_dataset(section | {"subclasses": {"file": str(finer)}})
    assert found.subclasses == {"mel": ("s",), "nv": ("s",)}
    finer.write_text("image,subclass\n" + "".join(f"{n},{s}\n" for n, s in zip("abcd", ("s", "S", "s", "nan"), strict=True)))  # fmt: skip  # noqa: E501
    with pytest.raises(InputError, match="stands for a missing value"):
        load_dataset(section | {"subclasses": {"file": str(finer)}})
    together = {"rest": ["nan"]}
    with pytest.raises(InputError, match="subclasses that look alike: 's' and 'S'"):
        load_dataset(section | {"subclasses": {"file": str(finer), "together": together}})
    finer.write_text(finer.read_text() + "a,other\n")
    with pytest.raises(InputError, match="gives a another subclass"):
        load_dataset(section | {"subclasses": {"file": str(finer), "together": together}})
