"""The answer to each image as a table: for a spreadsheet, or for whoever looks at single cases."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekd.bench.run.answers import Answered
from edgekd.evaluation.answers import ModelAnswers
from edgekd.evaluation.validation import ExternalValidation
from edgekd.files import write_atomically

__all__ = ["write_predictions"]

_SEPARATOR = ";"


def write_predictions(path: Path, validation: ExternalValidation) -> None:
    """Write a CSV with a line for each image, and for each model where there are several.

    Columns: `model` of several; `image`, `label`, `prediction`, the score of every class;
    `decision` (answer, refer, retake), `reasons` as codes, `set` (the classes that cannot be
    excluded), and `by_…`, the subgroup by each column of the table. Where the task has no classes,
    the outputs of the network stand in place of all behind the label.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows(_lines(validation))
    write_atomically(path, buffer.getvalue())


def _lines(validation: ExternalValidation) -> Iterator[Sequence[str]]:
    several = len(validation.evaluation.answers) > 1
    first = ["model"] if several else []
    if not validation.answers:
        outputs = validation.evaluation.answers[0].calibrated
        yield [*first, "image", "label", *_output_heads(outputs[0])]
        for row, each in _rows(validation):
            for line in _plain_lines(validation, each):
                yield [*([row] if several else []), *line]
        return
    yield [*first, *_heads(validation)]
    for answers in validation.answers:
        for line in _answer_lines(validation, answers):
            yield [*([answers.row.name] if several else []), *line]


def _rows(validation: ExternalValidation) -> Iterator[tuple[str, Answered]]:
    names = (row.name for row in validation.result.rows)
    return zip(names, validation.evaluation.answers, strict=True)


def _heads(validation: ExternalValidation) -> list[str]:
    data = validation.data
    by = [f"by_{attribute.name}" for attribute in data.attributes]
    scores = ["image", "label", "prediction", *data.bench.classes]
    return [*scores, "decision", "reasons", "set", *by]


def _answer_lines(validation: ExternalValidation, answers: ModelAnswers) -> Iterator[Sequence[str]]:
    data, classes = validation.data, validation.data.bench.classes
    for index, (image, label) in enumerate(data.bench.images):
        names = [classes[place] for place in np.flatnonzero(answers.named[index])]
        shares = (f"{share:.6f}" for share in answers.probabilities[index].tolist())
        yield (
            str(image),
            label,
            _SEPARATOR.join(names),
            *shares,
            str(answers.verdicts[index]),
            _SEPARATOR.join(answers.reasons[index]),
            _SEPARATOR.join(answers.sets[index] or ()),
            *(attribute.name_of(index) for attribute in data.attributes),
        )


def _plain_lines(validation: ExternalValidation, each: Answered) -> Iterator[Sequence[str]]:
    for (image, label), outputs in zip(validation.data.bench.images, each.calibrated, strict=True):
        yield (str(image), label, *(f"{value:.6f}" for value in np.ravel(outputs).tolist()))


def _output_heads(outputs: NDArray[Any]) -> list[str]:
    return [f"output_{index}" for index in range(np.size(outputs))]
