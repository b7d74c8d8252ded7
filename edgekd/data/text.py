"""What people and their tools write into tables and folder names, made comparable."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from edgekd.errors import InputError

__all__ = ["alike", "clean", "is_blank", "is_missing", "look_alikes", "marked", "near_name"]

_MISSING = frozenset({"", "nan", "na", "n/a", "#n/a", "#na", "<na>", "null", "nil", "nat"})
"""What pandas, R and spreadsheets write for a cell without a value."""

_VAGUE = frozenset({
    "none", "unknown", "unk", "missing", "undefined", "unspecified", "not available",
    "not known", "not applicable", "unlabelled", "unlabeled", "unsorted", "?", "-", "--", "—", ".",
})  # fmt: skip
"""What people write into such a cell; as a class or a body site it may be meant."""

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
    """Whether a tool wrote the text for a value that is not there."""
    return clean(text).casefold() in _MISSING


def is_blank(text: str) -> bool:
    """Whether the text is no name of a lesion or patient: missing, or a word that says so."""
    return is_missing(text) or clean(text).casefold() in _VAGUE


def alike(text: str) -> str:
    """A key that texts share which differ in case, separators, width or a number's zeros alone."""
    key = unicodedata.normalize("NFKC", clean(text)).casefold()
    number = _NUMBER.fullmatch(key)
    if number:
        sign, whole, fraction = number.groups()
        return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"
    return re.sub(r"(?<=\w)[\s_-]+(?=\w)", " ", key.replace("_", " ")).strip()


def look_alikes(names: Iterable[str]) -> list[list[str]]:
    """Lists of different names of one key."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in dict.fromkeys(names):
        found[alike(name)].append(name)
    return [same for same in found.values() if len(same) > 1]


def near_name(name: str, known: Sequence[str]) -> str:
    """A question that suggests the known name which a wrong one may have meant; may be empty."""
    same = [one for one in known if alike(one) == alike(name)]
    near = same or difflib.get_close_matches(name, known, n=1)
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
