"""The names of a network's outputs, and the classes that they become."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from edgekd.data.text import clean
from edgekd.errors import InputError
from edgekd.models.card import OutputCard

__all__ = ["classes_after", "mapped", "mapping_notes", "read_classes", "read_mapping"]

_HINT = "give --classes a file with one name a line, or names with commas between them"


def read_classes(text: str) -> tuple[str, ...]:
    """Names from the command line: with commas, or a file of one a line or of JSON.

    Raises:
        InputError: There are fewer than two, one stands twice, or the file cannot be read.
    """
    file = Path(text)
    names = _in_file(file) if _is_file(file) else [clean(name) for name in text.split(",")]
    if len(names) < 2 or "" in names:
        raise InputError(f"{text!r} names {len(names)} classes", _HINT)
    return _distinct(names)


def read_mapping(texts: Iterable[str]) -> dict[str, str]:
    """A mapping from the command line: `NAME=CLASS` texts, or files of such lines or of JSON.

    Raises:
        InputError: A text is neither, or a name stands twice with two classes.
    """
    mapping: dict[str, str] = {}
    for text in texts:
        for name, label in _pairs(text):
            if mapping.setdefault(name, label) != label:
                message = f"--map gives {name!r} two classes, {mapping[name]!r} and {label!r}"
                raise InputError(message, "give one")
    return mapping


def mapped(names: Sequence[str], mapping: Mapping[str, str]) -> dict[str, str]:
    """The class of each name: those that are not mapped stay.

    Raises:
        InputError: A name of the mapping is none of the network's, or fewer than two classes are
            left.
    """
    for name in mapping:
        if name not in names:
            message = f"--map speaks of {name!r}, which is none of the network's outputs"
            raise InputError(message, f"they are: {', '.join(names)}")
    classes = {name: mapping.get(name, name) for name in names}
    if len(set(classes.values()) - {""}) < 2:
        raise InputError("--map leaves fewer than two classes", "map to two at least")
    return classes


def classes_after(card: OutputCard) -> tuple[str, ...]:
    """The classes in the order in which the network's outputs come to them."""
    return tuple(dict.fromkeys(name for each in card.names if (name := card.classes[each])))


def mapping_notes(card: OutputCard) -> list[str]:
    """What is summed and what is dropped, for people."""
    counts = Counter(card.classes[name] for name in card.names)
    notes = [
        f"{label} is the sum of {', '.join(n for n in card.names if card.classes[n] == label)}"
        for label, count in counts.items()
        if label and count > 1
    ]
    dropped = [name for name in card.names if not card.classes[name]]
    if dropped:
        notes.append(f"dropped: {', '.join(dropped)}; their probability goes to the others")
    return notes


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        message = f"the class {twice[0]!r} is there twice"
        raise InputError(message, "give each output a name of its own, and sum them with --map")
    return tuple(names)


def _pairs(text: str) -> list[tuple[str, str]]:
    file = Path(text)
    lines: list[str] = [text]
    if _is_file(file):
        content = _read(file)
        if content.lstrip().startswith("{"):
            return [(clean(k), clean(str(v))) for k, v in _json(file, content).items()]
        lines = [line for line in content.splitlines() if line.strip()]
    pairs = [line.partition("=") for line in lines]
    for (name, equals, _), line in zip(pairs, lines, strict=True):
        if not equals or not name.strip():
            raise InputError(f"{line!r} is not of the form NAME=CLASS", "write e.g. --map nevus=nv")
    return [(clean(name), clean(label)) for name, _, label in pairs]


def _in_file(file: Path) -> list[str]:
    content = _read(file)
    if content.lstrip()[:1] not in ("[", "{"):
        return [clean(line) for line in content.splitlines() if line.strip()]
    values = _json(file, content)
    if isinstance(values, list):
        return [clean(str(value)) for value in values]
    return _by_number(file, values)


def _by_number(file: Path, values: dict[str, Any]) -> list[str]:
    """Names by number, or numbers by name."""
    numbers = {str(key): str(value) for key, value in values.items()}
    if not all(key.isdigit() for key in numbers):
        numbers = {value: key for key, value in numbers.items()}
    ordered = [numbers.get(str(place)) for place in range(len(numbers))]
    if None in ordered or len(numbers) != len(values):
        raise InputError(f"{file} does not number its classes from 0", _HINT)
    return [clean(str(name)) for name in ordered]


def _json(file: Path, content: str) -> Any:
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError as error:
        raise InputError(f"{file} is not JSON: {error}", "correct it") from error


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read: {error}", "save it as text in UTF-8") from error


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a list of names that no file can have
        return False
