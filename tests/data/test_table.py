"""Tables as people, spreadsheets and archives write them; one reader for training and `eval`."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st

from edgekd.bench.subjects.labelled import data_of_csv
from edgekd.data import load_dataset
from edgekd.data.table import read_table
from edgekd.errors import ImageError, InputError

COMPOSED = "häßlich"
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)
ROWS = ("a.jpg,mel", "b.jpg,nv", "c.jpg,nv", "d.jpg,mel")
Read = Callable[..., list[tuple[str, str]]]


@pytest.fixture
def root(tmp_path: Path, draw: Any) -> Path:
    for number, name in enumerate("abcd"):
        draw(tmp_path / f"{name}.jpg", 40 * number)
    return tmp_path


def trained(file: Path, **keys: Any) -> list[tuple[str, str]]:
    """Image and label of each row as training reads them."""
    dataset = load_dataset({"source": "csv", "file": str(file), **keys})
    return [(sample.image, sample.label) for sample in dataset.samples]


def evaluated(file: Path, *, classes: Any = ("mel", "nv"), **keys: Any) -> list[tuple[str, str]]:
    """The same as `edgekd eval --csv` reads them."""
    data = data_of_csv(file, tuple(classes), **keys)
    return [(str(path.relative_to(file.parent)), classes[label]) for path, label in data.images]


READERS = pytest.mark.parametrize("read", [trained, evaluated])


def table(root: Path, *lines: str, encoding: str = "utf-8", end: str = "\n") -> Path:
    file = root / "labels.csv"
    file.write_bytes("".join(f"{line}{end}" for line in lines).encode(encoding))
    return file


def refusal(read: Read, file: Path, **keys: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        read(file, **keys)
    assert caught.value.hint
    return caught.value


EXPECTED = [("a.jpg", "mel"), ("b.jpg", "nv"), ("c.jpg", "nv"), ("d.jpg", "mel")]


@READERS
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n", ",,\n"])
def test_dialects(read: Read, root: Path, separator: str, encoding: str, end: str) -> None:
    lines = [line.replace(",", separator) for line in ("image,label", *ROWS, ",")]
    file = table(root, *lines, encoding=encoding, end=end.replace(",", separator))
    assert read(file) == EXPECTED


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
@pytest.mark.parametrize(
    "name", ["a.jpg", "a", "./a.jpg", "x/../a.jpg", ".//a.jpg", ".\\a.jpg", "a.JPG", "{root}/a.jpg"]
)
def test_one_image_by_many_names(read: Read, root: Path, name: str) -> None:
    named = name.format(root=root)
    assert read(table(root, "image,label", f"{named},mel", *ROWS[1:])) == EXPECTED
    twice = refusal(read, table(root, "image,label", *ROWS, f"{named},mel"))
    assert "names the image a.jpg twice: on lines 2 and 6" in twice.message


@READERS
def test_one_image_by_the_links_to_its_folder(read: Read, root: Path) -> None:
    """A link to an image alone is one of an archive that keeps files by their content."""
    (root / "again").symlink_to(root)
    twice = refusal(read, table(root, "image,label", *ROWS, "again/a.jpg,nv"))
    assert "names the image again/a.jpg twice: on lines 2 and 6" in twice.message
    (root / "copy.jpg").symlink_to(root / "a.jpg")
    assert len(read(table(root, "image,label", *ROWS, "copy.jpg,mel"))) == len(ROWS) + 1


@READERS
@pytest.mark.parametrize("on_disk", [COMPOSED, DECOMPOSED])
@pytest.mark.parametrize("in_table", [COMPOSED, DECOMPOSED])
def test_letters_composed_and_decomposed(
    read: Read, root: Path, draw: Any, on_disk: str, in_table: str
) -> None:
    draw(root / on_disk / f"{on_disk}.JPG", 9)
    rows = (f"{in_table}/{in_table}.jpg,{in_table}", *ROWS[1:])
    file = table(root, "image,label", *rows)
    classes = {"classes": ("mel", "nv", COMPOSED)}
    assert read(file, **classes)[0] == (f"{on_disk}/{on_disk}.JPG", COMPOSED)


@READERS
def test_a_name_that_several_files_have(read: Read, root: Path, draw: Any) -> None:
    draw(root / "a.png", 9)
    error = refusal(read, table(root, "image,label", "a,mel", *ROWS[1:]))
    assert isinstance(error, ImageError)
    assert "'a' may be any of a.jpg, a.png" in error.message


@READERS
def test_lines_are_those_of_the_file(read: Read, root: Path) -> None:
    head = ('image,label,"a\nnote"', "", 'a.jpg,mel,"two\r\n\nlines"', "b.jpg,nv,", "")
    assert "line 9 of" in refusal(read, table(root, *head, "c.jpg")).message
    error = refusal(read, table(root, *head, 'gone.jpg,nv,"x\ny"', "no.jpg,nv,"))
    assert "line 9 of" in error.message
    assert "'gone.jpg', which is not in" in error.message
    assert "1 more: lines 11)" in error.message
    assert "line 9 of" in refusal(read, table(root, *head, "c.jpg,,")).message


def test_absolute_paths_of_images_elsewhere(root: Path, tmp_path_factory: Any) -> None:
    rows = [f"{root}/{row}" for row in ROWS]
    file = table(tmp_path_factory.mktemp("tables"), "image,label", *rows)
    assert trained(file) == [tuple(row.split(",")) for row in rows]
    paths = [path for path, _ in data_of_csv(file, ("mel", "nv")).images]
    assert paths == [Path(row.split(",")[0]) for row in rows]


@READERS
def test_every_missing_image_is_counted(read: Read, root: Path) -> None:
    rows = [f"gone{n}.jpg,nv" for n in range(9)]
    message = refusal(read, table(root, "image,label", *ROWS, *rows)).message
    assert "line 6 of" in message
    assert "(nor are 8 more: lines 7, 8, 9, 10, 11, …)" in message


@READERS
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("https://host/a.jpg", "fetch the images"),
        ("C:\\photos\\a.jpg", "relative to the folder"),
        ("x" * 300, "correct the line"),
        ("deep/" * 2000, "correct the line"),
    ],
)
def test_images_that_lie_elsewhere(read: Read, root: Path, name: str, said: str) -> None:
    assert said in refusal(read, table(root, "image,label", f"{name},mel", *ROWS[1:])).hint


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
        ("image,label\na.jpg,schön\n".encode("latin-1"), "line 2 is not UTF-8"),
        (b"PK\x03\x04\xff\xfe workbook", "not UTF-8"),
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


def test_a_class_with_a_letter_of_another_alphabet_is_told(root: Path) -> None:
    file = table(root, "image,label", *ROWS[:3], "d.jpg,m\u0435l")
    dataset = load_dataset({"source": "csv", "file": str(file)})
    assert any("Cyrillic" in note for note in dataset.notes)


@pytest.mark.parametrize("name", ["m\x1b[2Kel", "mel" * 70])
def test_a_class_that_no_bundle_takes_is_told_before_training(root: Path, name: str) -> None:
    file = table(root, "image,label", *ROWS[:3], f"d.jpg,{name}")
    with pytest.raises(InputError, match="a class that is no name"):
        load_dataset({"source": "csv", "file": str(file)})


def test_no_classes_are_not_all(root: Path) -> None:
    file = table(root, "image,label", *ROWS)
    with pytest.raises(InputError, match="classes"):
        load_dataset({"source": "csv", "file": str(file), "classes": []})


def test_a_name_that_no_file_can_have(root: Path) -> None:
    with pytest.raises(InputError, match="null byte"):
        load_dataset({"source": "csv", "file": f"{root}/a\0b.csv"})


@pytest.mark.parametrize("word", ["nan", "NaN", "NA", "n/a", "#N/A", "<NA>", "null", "NULL"])
def test_a_label_that_stands_for_none(root: Path, word: str) -> None:
    file = table(root, "image,label", *ROWS[:3], f"d.jpg,{word}")
    error = refusal(trained, file)
    assert f"line 5 of {file} has the label {word!r}" in error.message
    assert trained(file, classes=["mel", "nv", word])[3] == ("d.jpg", word)


@pytest.mark.parametrize("word", ["none", "Unknown", "?"])
def test_a_class_that_may_stand_for_none_is_told(root: Path, word: str) -> None:
    file = table(root, "image,label", *ROWS[:3], f"d.jpg,{word}")
    dataset = load_dataset({"source": "csv", "file": str(file)})
    assert any(repr(word) in note for note in dataset.notes)
    listed = load_dataset({"source": "csv", "file": str(file), "classes": ["mel", "nv", word]})
    assert not any("taken for a class" in note for note in listed.notes)


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
