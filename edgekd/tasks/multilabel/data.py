"""The data layer of findings that may occur together in an image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekd.data.task import DataTask, LabelProblem
from edgekd.data.text import clean, marked, near_name
from edgekd.errors import InputError
from edgekd.tasks.multilabel.labels import NONE, SEPARATOR, label_text

__all__ = ["Data"]


class Data(DataTask):
    """A label lists the findings that are present, `a;b`; a target is 0 and 1, float32 [N, K]."""

    least_classes = 1

    def label_of(self, values: Mapping[str, str]) -> str:
        """The columns that are marked (1, true or yes); they are named as the findings.

        Raises:
            InputError: A cell is neither marked nor unmarked.
        """
        return label_text(marked(values))

    def classes_of(self, labels: Sequence[str], listed: Sequence[str] | None) -> tuple[str, ...]:
        """The listed findings, or those that occur, sorted.

        Raises:
            InputError: A label has a finding that is not listed, or a name is not allowed.
        """
        occurring = sorted({name for label in labels for name in findings_of(label)})
        names = tuple(occurring) if listed is None else tuple(listed)
        for name in names:
            if SEPARATOR in name or not findings_of(name):
                message = f"a finding cannot be called {name!r}"
                hint = f"{SEPARATOR!r} separates findings, and {NONE!r} is the label of no finding"
                raise InputError(message, hint)
        for name in occurring:
            if name not in names:
                problem = _unknown(name, names)
                raise InputError(f"there is {problem.phrase}", problem.hint)
        return names

    def targets(self, labels: Sequence[str], classes: Sequence[str]) -> NDArray[Any]:
        """1 where a finding is present, else 0, float32 [N, K].

        Raises:
            InputError: A label has a finding that is not among the classes.
        """
        index = {name: position for position, name in enumerate(classes)}
        targets = np.zeros((len(labels), len(classes)), dtype=np.float32)
        for row, label in zip(targets, labels, strict=True):
            for name in findings_of(label):
                if name not in index:
                    problem = _unknown(name, classes)
                    raise InputError(f"there is {problem.phrase}", problem.hint)
                row[index[name]] = 1.0
        return targets

    def strata(self, labels: Sequence[str], classes: Sequence[str]) -> list[str]:
        """The rarest finding of each image, so that each part gets its share of rare findings."""
        lists = [findings_of(label) for label in labels]
        numbers = Counter(name for names in lists for name in names)
        return [min(names, key=lambda name: (numbers[name], name), default=NONE) for names in lists]

    def counts(self, targets: NDArray[Any], classes: Sequence[str]) -> tuple[int, ...]:
        """Number of samples in which each finding is present, from targets [N, K]."""
        return tuple(int(number) for number in (targets > 0.5).sum(axis=0))

    def canonical(self, label: str, classes: Sequence[str]) -> str:
        """The findings in the order of the classes, each once; `none` without any."""
        present = set(findings_of(label))
        return SEPARATOR.join(name for name in classes if name in present) or NONE

    def names_in(self, label: str) -> tuple[str, ...]:
        """The findings; of a label without any, the label itself."""
        return tuple(findings_of(label)) or (label,)

    def joined(self, names: Sequence[str]) -> str:
        """The findings, separated as in tables."""
        return SEPARATOR.join(names)

    def problem_with(self, label: str, listed: Sequence[str] | None) -> LabelProblem | None:
        """Whether the label is blank, contradicts itself, or has a finding that is not listed.

        A blank label is refused: whoever left it blank may not know the findings, and the image
        would count as a negative of each.
        """
        names = findings_of(label)
        says_none = any(_is_none(part) for part in label.split(SEPARATOR))
        if not names and not says_none:
            hint = f"write {NONE} where there is no finding; remove the row if none are known"
            return LabelProblem("no label", hint)
        if names and says_none:
            phrase = f"the label {label!r}, which has findings and {NONE!r}"
            return LabelProblem(phrase, "remove one of the two")
        unknown = next((name for name in names if listed is not None and name not in listed), None)
        return None if unknown is None else _unknown(unknown, listed or ())

    def shows(self, targets: NDArray[Any], classes: Sequence[str]) -> NDArray[np.bool_]:
        """Which findings are present in which samples, [N, K]."""
        return np.asarray(targets > 0.5)


def findings_of(label: str) -> list[str]:
    """The findings that a label lists; empty for `none`."""
    names = [clean(part) for part in label.split(SEPARATOR)]
    return [name for name in names if name and not _is_none(name)]


def _is_none(name: str) -> bool:
    return clean(name).casefold() == NONE


def _unknown(name: str, known: Sequence[str]) -> LabelProblem:
    phrase = f"the finding {name!r}, which is not among those known"
    return LabelProblem(phrase, f"{near_name(name, known)}they are: {', '.join(known)}")
