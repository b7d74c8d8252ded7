"""Labels of a table in other words than the model's classes: renamed, or left out by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgekd.data.task import DataTask
from edgekd.data.text import clean
from edgekd.errors import InputError

__all__ = ["LabelMap", "UnknownLabels", "label_map"]

_SEPARATOR = ";"
_SHOWN = 8


@dataclass(frozen=True)
class LabelMap:
    """Which class each label of a table stands for.

    Attributes:
        classes: Class by label as written; other labels stand for themselves.
        dropped: Labels whose images are left out.
    """

    classes: dict[str, str] = field(default_factory=dict)
    dropped: frozenset[str] = frozenset()

    def drops(self, label: str) -> bool:
        """Whether images with this label are left out."""
        return label in self.dropped

    def of(self, label: str) -> str:
        """The label in the model's words: of several findings `a;b`, each one."""
        if label in self.classes:
            return self.classes[label]
        return _SEPARATOR.join(
            self.classes.get(clean(part), part) for part in label.split(_SEPARATOR)
        )


def label_map(pairs: Iterable[str], dropped: Iterable[str], classes: Sequence[str]) -> LabelMap:
    """The map of `written=class` pairs, and of files that have one such pair on each line.

    In a file, blank lines and lines that begin with `#` are left out. What is written to the left
    of the last `=` is the label.

    Args:
        pairs: The pairs and files.
        dropped: Labels whose images are left out.
        classes: The model's classes.

    Raises:
        InputError: A pair has no `=` and is no file, names no class of the model, or gives a label
            two classes.
    """
    known: dict[str, str] = {}
    for pair in (pair for word in pairs for pair in _pairs_of(word)):
        written, _, name = (clean(part) for part in pair.rpartition("="))
        if name not in classes:
            message = f"the label {written!r} is mapped to {name!r}, which is no class of the model"
            raise InputError(message, f"the classes are: {', '.join(classes)}")
        if known.setdefault(written, name) != name:
            message = f"the label {written!r} is mapped to {known[written]!r} and to {name!r}"
            raise InputError(message, "give it one class")
    return LabelMap(known, frozenset(clean(label) for label in dropped))


def _pairs_of(word: str) -> list[str]:
    file = Path(word)
    if "=" in word and not file.is_file():
        return [word]
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        message = f"--map {word} is neither LABEL=CLASS nor a file of such lines"
        raise InputError(message, "write it as 'Common Nevus=nv'") from error
    pairs = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    for pair in pairs:
        if "=" not in pair:
            message = f"{word} has the line {pair[:60]!r}, which is not LABEL=CLASS"
            raise InputError(message, "write it as Common Nevus=nv")
    return pairs


class UnknownLabels:
    """Labels that are none of the model's, gathered so that all of them are refused at once."""

    def __init__(self, task: DataTask, classes: Sequence[str]) -> None:
        self._task = task
        self._classes = classes
        self._counts: Counter[str] = Counter()
        self._first: dict[str, tuple[int, str, str]] = {}

    def holds(self, written: str, label: str, line: int) -> bool:
        """Whether the label is not one of the model's, in which case it is counted.

        Args:
            written: The label as the table has it.
            label: The label after renaming.
            line: Line of the table.
        """
        problem = self._task.problem_with(label, self._classes)
        if problem is None:
            return False
        self._counts[written] += 1
        self._first.setdefault(written, (line, problem.phrase, problem.hint))
        return True

    def refuse(self, file: Path) -> None:
        """Refuse the table if there are unknown labels.

        Raises:
            InputError: Lists the labels with the number of their images.
        """
        if not self._counts:
            return
        line, phrase, hint = next(iter(self._first.values()))
        written = next(iter(self._first))
        message = f"line {line} of {file} has {phrase}"
        if len(self._counts) > 1:
            message += f"; {self._list()}"
        remedy = f"rename it with --map {_quoted(f'{written}=CLASS')}, or leave its images out "
        raise InputError(message, f"{hint}; {remedy}with --drop {_quoted(written)}")

    def _list(self) -> str:
        shown = [f"{label!r} ({count})" for label, count in self._counts.most_common(_SHOWN)]
        more = len(self._counts) - len(shown)
        total = f"{len(self._counts)} labels are no class of the model: "
        return total + ", ".join(shown) + (f" and {more} more" if more else "")


def _quoted(text: str) -> str:
    return f'"{text}"' if not text or any(letter in text for letter in " ;&|*") else text
