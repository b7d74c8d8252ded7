"""Normalised names of tables and folders, so that different spellings compare as equal."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from edgekd.errors import InputError

__all__ = ["alike", "clean", "is_blank", "is_missing", "marked", "near_name", "similar_names"]

_MISSING = frozenset({"", "nan", "na", "n/a", "#n/a", "#na", "<na>", "null", "nil", "nat"})
"""What pandas, R and spreadsheets write for a cell without a value."""

_VAGUE = frozenset({
    "none", "unknown", "unk", "missing", "undefined", "unspecified", "not available",
    "not known", "not applicable", "unlabelled", "unlabeled", "unsorted", "?", "-", "--", "—", ".",
})  # fmt: skip
"""What people write for an unknown lesion or patient; a class or body site may have such a name."""

_MARKED = frozenset({"1", "1.0", "true", "yes"})
_UNMARKED = frozenset({"0", "0.0", "false", "no"})

_NUMBER = re.compile(r"[+]?(-?)0*(\d+)(?:[.,](\d*?)0*)?")


def clean(text: str) -> str:
    """The text without outer white space and invisible characters, composed (Unicode NFC)."""
    composed = unicodedata.normalize("NFC", text)
    if not composed.isascii():
        composed = "".join(c for c in composed if unicodedata.category(c) != "Cf")
    return composed.strip()


def is_missing(text: str) -> bool:
    """Whether the text is what tools write for a missing value."""
    return clean(text).casefold() in _MISSING


def is_blank(text: str) -> bool:
    """Whether the text names no lesion or patient: a missing value, or a word for unknown."""
    return is_missing(text) or clean(text).casefold() in _VAGUE


def alike(text: str) -> str:
    """A key, equal for texts that differ only in case, separators, width or a number's zeros."""
    key = unicodedata.normalize("NFKC", clean(text)).casefold()
    number = _NUMBER.fullmatch(key)
    if number:
        sign, whole, fraction = number.groups()
        return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"
    return re.sub(r"(?<=\w)[\s_-]+(?=\w)", " ", key.replace("_", " ")).strip()


def similar_names(names: Iterable[str]) -> list[list[str]]:
    """Lists of different names with an equal key, see `alike`."""
    by_key: dict[str, list[str]] = defaultdict(list)
    for name in dict.fromkeys(names):
        by_key[alike(name)].append(name)
    return [similar for similar in by_key.values() if len(similar) > 1]


def near_name(name: str, known: Sequence[str]) -> str:
    """A question that suggests the known name which a wrong one may have meant; may be empty."""
    similar = [candidate for candidate in known if alike(candidate) == alike(name)]
    near = similar or difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}? " if near else ""


def marked(cells: Mapping[str, str]) -> list[str]:
    """The columns whose cell is 1, true or yes, in their order.

    Raises:
        InputError: A cell is neither that nor 0, false or no.
    """
    for column, cell in cells.items():
        if cell.casefold() not in _MARKED | _UNMARKED:
            message = f"{cell!r} in the column {column!r}"
            raise InputError(message, "write 1 or 0, true or false, yes or no")
    return [column for column, cell in cells.items() if cell.casefold() in _MARKED]
