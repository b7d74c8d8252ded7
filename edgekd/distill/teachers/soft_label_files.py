"""Soft labels as files that travel without their teacher: `.npz`, `.csv` or `.parquet`.

All have a row for each image and view, by the image's name. A file of edgekd also says what its
numbers are (`SoftLabelFacts`): an `.npz` in the array `edgekd`, a `.csv` in its first line
`# edgekd {…}`, a `.parquet` in its metadata. A table of another program has a column `image` and
one for each class, of logits or of probabilities, and one row for each image.

    .npz      logits float32 [n, K, classes], and UTF-8, one a line: names, hashes, classes
    tables    image, view, position, sha256, and a column for each class
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd.distill.teachers.soft_labels import SoftLabelFacts
from edgekd.errors import ArtefactError, InputError, MissingDependencyError
from edgekd.files import atomic_write

__all__ = [
    "SUFFIXES",
    "SoftLabelFile",
    "check_kind",
    "read_soft_label_file",
    "write_soft_label_file",
]

SUFFIXES = (".npz", ".csv", ".parquet")
_KEY = "edgekd"
_MARK = f"# {_KEY} "
_IMAGE, _VIEW, _POSITION, _HASH = "image", "view", "position", "sha256"
_AGAIN = "copy it again, or make it again by `edgekd logits`"
_ROWS_OF_PARQUET = 1 << 16
_DAMAGE = (
    OSError, ValueError, LookupError, TypeError, EOFError, zipfile.BadZipFile, msgspec.DecodeError
)  # fmt: skip


@dataclass(frozen=True)
class SoftLabelFile:
    """What a file of soft labels holds.

    Attributes:
        facts: What its numbers are; None in a table of another program.
        columns: Names of the outputs, in order.
        names: Names of the images [n].
        outputs: float32 [n, K, outputs] for K views of each image.
        hashes: The first 16 hex digits of the SHA-256 of each image's file [n]; empty without.
        positions: Position of each image in the data set that the views were drawn for [n]; empty
            where there are no views.
    """

    facts: SoftLabelFacts | None
    columns: tuple[str, ...]
    names: tuple[str, ...]
    outputs: NDArray[np.float32]
    hashes: tuple[str, ...] = ()
    positions: tuple[int, ...] = ()


def check_kind(file: Path) -> None:
    """Refuse a file that could not be written, before the work that fills it.

    Raises:
        InputError: It has another suffix.
        MissingDependencyError: It is Parquet, and pyarrow is not installed.
    """
    if _suffix(file) == ".parquet":
        _pyarrow()


def write_soft_label_file(file: Path, content: SoftLabelFile) -> None:
    """Write a file of the kind that its suffix names; it appears whole or not at all.

    Raises:
        InputError: It has another suffix.
        MissingDependencyError: It is Parquet, and pyarrow is not installed.
    """
    write = {".npz": _write_npz, ".csv": _write_csv, ".parquet": _write_parquet}[_suffix(file)]
    with atomic_write(file) as place:
        write(place, content)


def read_soft_label_file(file: Path) -> SoftLabelFile:
    """Read a file of soft labels.

    Raises:
        InputError: There is none, or it has another suffix.
        ArtefactError: It is damaged, or holds no soft labels.
        MissingDependencyError: It is Parquet, and pyarrow is not installed.
    """
    read = {".npz": _read_npz, ".csv": _read_csv, ".parquet": _read_parquet}[_suffix(file)]
    try:
        content = read(file)
    except FileNotFoundError:
        raise InputError(f"there are no soft labels at {file}", "check the path") from None
    except _DAMAGE as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise ArtefactError(f"{file} holds no soft labels, or is damaged: {why}", _AGAIN) from error
    _refuse_flaws(file, content)
    return content


def _suffix(file: Path) -> str:
    if file.suffix.lower() not in SUFFIXES:
        message = f"{file} is none of the kinds of files that soft labels are kept in"
        raise InputError(message, f"give a name that ends with {', '.join(SUFFIXES)}")
    return file.suffix.lower()


def _refuse_flaws(file: Path, content: SoftLabelFile) -> None:
    rows = len(content.names)
    if content.outputs.shape[0] != rows or len(set(content.names)) != rows or not rows:
        raise ArtefactError(f"{file} is damaged: its rows do not match", _AGAIN)
    if not np.isfinite(content.outputs).all():
        raise ArtefactError(f"{file} holds numbers that are not finite", _AGAIN)
    facts = content.facts
    if facts is not None and facts.format_version.split(".")[0] != "1":
        message = f"{file} has format version {facts.format_version}; this edgekd reads 1"
        raise ArtefactError(message, "install the edgekd that wrote it")


# NumPy -------------------------------------------------------------------------------------


def _write_npz(place: Path, content: SoftLabelFile) -> None:
    arrays = {
        "logits": content.outputs,
        "positions": np.array(content.positions, np.int64),
        "names": _lines(content.names),
        "hashes": _lines(content.hashes),
        "classes": _lines(content.columns),
        _KEY: np.frombuffer(msgspec.json.encode(content.facts), np.uint8),
    }
    with place.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]


def _read_npz(file: Path) -> SoftLabelFile:
    # NumPy leaves the file of a damaged archive open.
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        outputs = np.asarray(arrays["logits"], np.float32)
        names, columns = _texts(arrays["names"]), _texts(arrays["classes"])
        about = bytes(arrays[_KEY]) if _KEY in arrays else b"null"
        hashes = _texts(arrays["hashes"]) if "hashes" in arrays else ()
        positions = arrays["positions"].tolist() if "positions" in arrays else []
    outputs = outputs[:, None] if outputs.ndim == 2 else outputs
    if outputs.ndim != 3 or outputs.shape[2] != len(columns):
        raise ValueError(f"logits {list(outputs.shape)} of {len(columns)} classes")
    return SoftLabelFile(_facts(about), columns, names, outputs, hashes, tuple(positions))


def _lines(texts: Sequence[str]) -> NDArray[np.uint8]:
    return np.frombuffer("\n".join(texts).encode(), np.uint8)


def _texts(array: NDArray[Any]) -> tuple[str, ...]:
    """Texts that are bytes of lines, or an array of texts as other programs write them."""
    if array.dtype == np.uint8:
        return tuple(bytes(array).decode().splitlines())
    return tuple(map(str, array.tolist()))


def _facts(about: bytes | str) -> SoftLabelFacts | None:
    return msgspec.json.decode(about, type=SoftLabelFacts | None)


# Tables ------------------------------------------------------------------------------------

Table = Mapping[str, Sequence[Any]]


def _columns_of(content: SoftLabelFile) -> dict[str, list[Any]]:
    """The table of a file: a row for each image and view."""
    count, views, _ = content.outputs.shape
    table: dict[str, list[Any]] = {
        _IMAGE: [name for name in content.names for _ in range(views)],
        _VIEW: list(range(views)) * count,
    }
    for name, values in ((_POSITION, content.positions), (_HASH, content.hashes)):
        if values:
            table[name] = [value for value in values for _ in range(views)]
    flat = content.outputs.reshape(count * views, -1)
    return table | {name: flat[:, place].tolist() for place, name in enumerate(content.columns)}


def _of_table(table: Table, about: bytes | str) -> SoftLabelFile:
    """The file of a table, whose rows are in any order."""
    facts = _facts(about)
    images = [str(name) for name in table[_IMAGE]]
    views = [int(view) for view in table[_VIEW]] if _VIEW in table else [0] * len(images)
    names, count = tuple(dict.fromkeys(images)), max(views, default=0) + 1
    columns = facts.outputs if facts else _numbers_in(table)
    rows = {name: row for row, name in enumerate(names)}
    outputs = np.full((len(names), count, len(columns)), np.nan, np.float32)
    places = [rows[name] for name in images]
    with np.errstate(over="ignore"):  # such numbers are refused later
        outputs[places, views] = np.array([table[name] for name in columns], np.float32).T
    if len(images) != outputs.shape[0] * count:
        raise ValueError(f"{len(images)} rows of {len(names)} images and {count} views")
    hashes = dict(zip(images, map(str, table.get(_HASH, ())), strict=False))
    positions = dict(zip(images, map(int, table.get(_POSITION, ())), strict=False))
    return SoftLabelFile(
        facts, columns, names, outputs, tuple(hashes.values()), tuple(positions.values())
    )


def _numbers_in(table: Table) -> tuple[str, ...]:
    """The columns of numbers of a table of another program, whatever else it has."""
    names = []
    for name in table.keys() - {_IMAGE, _VIEW, _POSITION, _HASH}:
        try:
            np.array(table[name], np.float32)
        except (TypeError, ValueError):
            continue
        names.append(name)
    return tuple(name for name in table if name in names)


def _write_csv(place: Path, content: SoftLabelFile) -> None:
    table = _columns_of(content)
    with place.open("w", encoding="utf-8", newline="") as stream:
        if content.facts is not None:
            stream.write(f"{_MARK}{msgspec.json.encode(content.facts).decode()}\n")
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(table)
        writer.writerows(zip(*(map(_written, column) for column in table.values()), strict=True))


def _written(value: Any) -> str:
    """A number with the digits that give the same float32 again."""
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def _read_csv(file: Path) -> SoftLabelFile:
    text = file.read_text(encoding="utf-8-sig")
    about = "null"
    if text.startswith(_MARK):
        first, _, text = text.partition("\n")
        about = first.removeprefix(_MARK)
    records = list(csv.reader(io.StringIO(text, newline="")))
    header, rows = records[0], [row for row in records[1:] if row]
    if any(len(row) != len(header) for row in rows):
        raise ValueError("a line has another number of cells than the header")
    return _of_table(dict(zip(header, zip(*rows, strict=True), strict=True)), about)


def _write_parquet(place: Path, content: SoftLabelFile) -> None:
    arrow, parquet = _pyarrow()
    floats = {name: arrow.float32() for name in content.columns}
    columns = {
        name: arrow.array(values, floats.get(name)) for name, values in _columns_of(content).items()
    }
    about = {_KEY: msgspec.json.encode(content.facts)}
    table = arrow.table(columns).replace_schema_metadata(about)
    parquet.write_table(table, place, row_group_size=_ROWS_OF_PARQUET)


def _read_parquet(file: Path) -> SoftLabelFile:
    _, parquet = _pyarrow()
    with file.open("rb") as stream:
        table = parquet.read_table(stream)
    about = (table.schema.metadata or {}).get(_KEY.encode(), b"null")
    return _of_table(table.to_pydict(), about)


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow  # type: ignore[import-not-found, import-untyped, unused-ignore]
        from pyarrow import parquet
    except ImportError as error:
        purpose = "read and write soft labels as Parquet"
        raise MissingDependencyError("pyarrow", "parquet", purpose) from error
    return pyarrow, parquet
