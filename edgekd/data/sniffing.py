"""What a data set on disk may be: its source and keys, inferred for a first recipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekd.data.fetching import is_url
from edgekd.data.image_files import IMAGE_SUFFIXES, ImageFiles, child, is_clutter
from edgekd.data.part_names import PartNames
from edgekd.data.sources import aptos2019, ham10000, isic2019, isic_archive
from edgekd.data.table import Table, read_table
from edgekd.data.text import alike, is_missing
from edgekd.errors import InputError

__all__ = ["ColumnChoice", "SniffedData", "sniff"]

_TABLES = (".csv", ".tsv", ".tab", ".txt", ".parquet", ".pq")
_IMAGE = ("image", "image id", "isic id", "id code", "file", "filename", "file name", "image name",
          "path", "image path", "img", "photo", "img id")  # fmt: skip
_LABEL = ("label", "dx", "diagnosis", "class", "target", "category", "diagnosis 1", "dr grade",
          "grade", "y")  # fmt: skip
_GROUP = ("patient", "patient id", "subject", "subject id", "case", "case id", "lesion",
          "lesion id", "person id")  # fmt: skip
_PART = ("split", "part", "set", "partition", "subset", "dataset split")
_ATTRIBUTES = ("age", "age approx", "sex", "gender", "localization", "site", "body site",
               "anatom site general", "anatomical site", "fitzpatrick", "fitzpatrick skin type",
               "skin type", "device")  # fmt: skip
_MARKS = {"0", "1", "0.0", "1.0", "true", "false", "yes", "no"}
_LOOKED_AT = 200
"""Rows of a table that names of images and marks are looked for in."""


@dataclass(frozen=True)
class ColumnChoice:
    """Columns that the user names; None infers them."""

    image: str | None = None
    label: str | None = None
    group: str | None = None


@dataclass(frozen=True)
class SniffedData:
    """A recipe's `data` section, and what to say of it.

    Attributes:
        section: The section.
        comments: A sentence by key, for comments.
        policy: The policy of its domain; `none` where that is not known.
    """

    section: dict[str, Any]
    comments: dict[str, str] = field(default_factory=dict)
    policy: str = "none"


def sniff(place: str, chosen: ColumnChoice = ColumnChoice()) -> SniffedData:
    """The data set at a path: a table, or a folder in a layout that a source reads.

    Args:
        place: A table, or a folder.
        chosen: Columns of a table that are known.

    Raises:
        InputError: It does not exist, or is of no known layout; a column is missing, or cannot be
            inferred.
        MissingDependencyError: The table is Parquet, and pyarrow is not installed.
    """
    path = Path(place)
    if path.suffix.casefold() in _TABLES and not path.is_dir():
        return _of_table(path, chosen)
    if not path.is_dir():
        message = f"{place} is no folder and no table of images"
        hint = "give a .csv or .parquet file, or the folder of a data set"
        raise InputError(message, "copy it here first" if is_url(place) else hint)
    known = next(_known_layouts(path), None)
    if known is None:
        message = f"the folder {place} is of no layout that edgekd knows"
        hint = "give a table of images and labels, or a folder with one folder for each class"
        raise InputError(message, hint)
    return known


def _known_layouts(root: Path) -> Iterator[SniffedData]:
    """The sources whose official layout a folder has, then those of folders in general."""
    at = {"root": str(root)}
    if child(root, ham10000.METADATA, f"{Path(ham10000.METADATA).stem}.tab").is_file():
        yield SniffedData({"source": "ham10000", **at}, {}, "dermoscopy")
    if child(root, isic2019.TRUTH).is_file():
        yield SniffedData({"source": "isic2019", **at}, {}, "dermoscopy")
    if child(root, aptos2019.TABLE).is_file() and child(root, aptos2019.IMAGES).is_dir():
        yield SniffedData({"source": "aptos2019", **at}, {}, "fundus")
    if child(root, isic_archive.METADATA).is_file():
        comment = "the column of the labels: which of them there are depends on the collection"
        section = {"source": "isic_archive", **at, "label_column": "diagnosis_1"}
        yield SniffedData(section, {"label_column": comment}, "dermoscopy")
    folders = [path for path in _entries(root) if path.is_dir()]
    if any(_has(folder, IMAGE_SUFFIXES) for folder in folders):
        yield SniffedData({"source": "folder", **at}, {"source": "one folder for each class"})
    if _has(root, (".dcm", ".dicom")) or any(_has(folder, (".dcm",)) for folder in folders):
        comment = "the tag with the label; patients are distinguished by a hash of PatientID"
        section = {"source": "dicom", **at, "label_tag": "StudyDescription"}
        yield SniffedData(section, {"label_tag": comment})


def _entries(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if not is_clutter(path.name)]


def _has(folder: Path, suffixes: Sequence[str]) -> bool:
    return any(path.suffix.casefold() in suffixes for path in _entries(folder))


# Tables ------------------------------------------------------------------------------------------


def _of_table(file: Path, chosen: ColumnChoice) -> SniffedData:
    named = [name for name in (chosen.image, chosen.label, chosen.group) if name is not None]
    table = read_table(file, named)
    image = chosen.image or _required(table, _IMAGE, "images", "--image-column", file)
    section: dict[str, Any] = {"source": "csv", "file": str(file), "image_column": image}
    comments: dict[str, str] = {}
    root = _root(file, table, image)
    if root != file.parent:
        section["root"] = str(root)
    section |= _labels(file, table, chosen, image)
    group = chosen.group or _named(table, _GROUP)
    comments["group_column"] = "all images of a lesion or patient lie in one part"
    if group is None:
        comments["source"] = (
            "no column of lesions or patients was recognised: `group_column` names it"
        )
    else:
        section["group_column"] = group
    part = _named(table, _PART)
    if part is not None and _are_parts(table, part):
        section["split_column"] = part
        comments["split_column"] = "the table's own parts; `split` draws those that it lacks"
    attributes = [name for name in table[0] if alike(name) in _ATTRIBUTES]
    if attributes:
        section["attributes"] = attributes
        comments["attributes"] = "kept with each image, so that results can be compared by them"
    return SniffedData(section, comments)


def _labels(file: Path, table: Table, chosen: ColumnChoice, image: str) -> dict[str, Any]:
    """The key of the labels: one column, or one for each class."""
    label = chosen.label or _named(table, _LABEL)
    if label is not None:
        return {"label_column": label}
    rows = table[:_LOOKED_AT]
    marked = [
        name
        for name in table[0]
        if name != image and all(row[name].casefold() in _MARKS for row in rows)
    ]
    if len(marked) > 1:
        return {"label_columns": marked}
    raise _unrecognised(table, "labels", "--label-column", file)


def _named(table: Table, names: Sequence[str]) -> str | None:
    """The first of the usual names that a column has, in the table's spelling."""
    columns = {alike(name): name for name in table[0]}
    return next((columns[name] for name in names if name in columns), None)


def _required(table: Table, names: Sequence[str], content: str, flag: str, file: Path) -> str:
    column = _named(table, names)
    if column is None:
        raise _unrecognised(table, content, flag, file)
    return column


def _unrecognised(table: Table, content: str, flag: str, file: Path) -> InputError:
    message = f"which column of {file} has the {content} is not clear"
    return InputError(message, f"give {flag}, one of: {', '.join(table[0])}")


def _root(file: Path, table: Table, image: str) -> Path:
    """The folder of the images: that of the table, or one beside it that has the first of them."""
    names = [row[image] for row in table[:_LOOKED_AT] if not is_missing(row[image])][:5]
    folders = [file.parent, *(path for path in _entries(file.parent) if path.is_dir())]
    return next((f for f in folders if all(map(ImageFiles(f).find, names))), file.parent)


def _are_parts(table: Table, column: str) -> bool:
    names = PartNames({})
    try:
        return len({names.part_of(row[column]) for row in table}) > 1
    except InputError:
        return False
