"""All pictures of a validation, for the page and as files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekd.bench.report.columns import policy_of
from edgekd.bench.report.marked_rows import MarkedRow
from edgekd.bench.report.pictures.paper import standalone
from edgekd.bench.task import policy_order
from edgekd.evaluation.answers import ModelAnswers
from edgekd.evaluation.cases import ModelCases
from edgekd.evaluation.operating import class_points, coverage_points
from edgekd.evaluation.pictures import (
    DrawnCurve,
    OperatingMark,
    coverage_picture,
    precision_recall_picture,
    reliability_picture,
    roc_picture,
)
from edgekd.evaluation.section_figures import section_figures
from edgekd.evaluation.table import ValidationData
from edgekd.evaluation.validation import ExternalValidation
from edgekd.files import make_folder, write_atomically
from edgekd.metrics.curves import (
    Curve,
    coverage_error_curve,
    precision_recall_curve,
    reliability_bins,
    roc_curve,
)

__all__ = ["ClassCurves", "Figures", "figures_of", "write_figures"]


@dataclass(frozen=True)
class ClassCurves:
    """The curves of one class.

    Attributes:
        name: The class.
        roc: Its ROC curve.
        precision_recall: Its precision-recall curve.
    """

    name: str
    roc: str
    precision_recall: str


@dataclass(frozen=True)
class Figures:
    """The pictures as SVG elements.

    Attributes:
        entries: The rows of the result with their marks.
        decisions: Decisions by class, of each model.
        confusions: The confusion matrix of each model; None where images show several classes.
        curves: Curves of each class that occurs, first those that the policy names.
        reliability: The reliability diagram of each model.
        coverage: Coverage against error of all models.
        subgroups: Title and picture of each share that is compared between subgroups.
    """

    entries: list[MarkedRow]
    decisions: list[str]
    confusions: list[str | None]
    curves: list[ClassCurves]
    reliability: list[str]
    coverage: str
    subgroups: list[tuple[str, str]]

    def files(self) -> Iterator[tuple[str, str]]:
        """Name and picture of each file."""
        for entry, decisions, confusion, reliability in zip(
            self.entries, self.decisions, self.confusions, self.reliability, strict=True
        ):
            letter = entry.mark.letter
            yield f"decisions-{letter}.svg", decisions
            yield f"reliability-{letter}.svg", reliability
            if confusion is not None:
                yield f"confusion-{letter}.svg", confusion
        for curves in self.curves:
            yield f"roc-{_file_name(curves.name)}.svg", curves.roc
            yield f"precision-recall-{_file_name(curves.name)}.svg", curves.precision_recall
        yield "coverage.svg", self.coverage
        for title, picture in self.subgroups:
            yield f"subgroups-{_file_name(title)}.svg", picture


def _file_name(text: str) -> str:
    return re.sub(r"[^\w.]+", "-", text.lower()).strip("-.") or "picture"


def write_figures(folder: Path, figures: Figures, cases: Sequence[ModelCases] = ()) -> None:
    """Write each picture as an SVG file for print and slides; other files of the folder stay.

    Args:
        folder: The folder.
        figures: The pictures.
        cases: Single images of each model, whose maps are written too.

    Raises:
        InputError: The folder cannot be made.
    """
    make_folder(folder)
    for name, picture in (*figures.files(), *_map_files(figures.entries, cases)):
        write_atomically(folder / name, standalone(picture))


def _map_files(
    entries: Sequence[MarkedRow], cases: Sequence[ModelCases]
) -> Iterator[tuple[str, str]]:
    for entry, model in zip(entries, cases, strict=False):
        for kind, chosen in (("missed", model.missed), ("other", model.gallery)):
            for number, case in enumerate(chosen, 1):
                yield f"map-{entry.mark.letter}-{kind}-{number}.svg", case.picture


def figures_of(validation: ExternalValidation) -> Figures:
    """Draw all pictures of a validation that has a section."""
    section, data = validation.result.validation, validation.data
    assert section is not None
    drawn = section_figures(validation.result, section)
    names = policy_order(list(section.models[0].outcomes), policy_of(validation.result))
    pairs = list(zip(drawn.entries, validation.answers, strict=True))
    return Figures(
        entries=drawn.entries,
        decisions=drawn.decisions,
        confusions=drawn.confusions,
        curves=[_class_curves(data, pairs, name) for name in names],
        reliability=[_reliability(entry, answers) for entry, answers in pairs],
        coverage=_coverage(data, pairs),
        subgroups=drawn.subgroups,
    )


_Pairs = Sequence[tuple[MarkedRow, ModelAnswers]]


def _class_curves(data: ValidationData, pairs: _Pairs, name: str) -> ClassCurves:
    index = data.bench.classes.index(name)
    shown = data.shown[:, index]
    roc, precision = [], []
    for entry, answers in pairs:
        scores, points = answers.probabilities[:, index], class_points(answers, data, name)
        marks = [mark for point in points if (mark := point.of_roc(shown)) is not None]
        roc.append((entry, roc_curve(scores, shown), marks))
        marks = [m for point in points if (m := point.of_precision_recall(shown)) is not None]
        precision.append((entry, precision_recall_curve(scores, shown), marks))
    return ClassCurves(
        name=name,
        roc=roc_picture(name, _drawn(roc)),
        precision_recall=precision_recall_picture(name, _drawn(precision), float(shown.mean())),
    )


def _drawn(
    curves: Iterable[tuple[MarkedRow, Curve | None, Sequence[OperatingMark]]],
) -> list[DrawnCurve]:
    """The curves that are defined, with the marks of their models."""
    return [
        DrawnCurve(entry.mark, entry.label, curve, marks)
        for entry, curve, marks in curves
        if curve is not None
    ]


def _reliability(entry: MarkedRow, answers: ModelAnswers) -> str:
    """Before calibration only of a bundle: a checkpoint has no temperature."""
    if answers.exclusive:
        confidence, right = answers.confidence, answers.right
        before = np.asarray((answers.uncalibrated * answers.named).sum(axis=1))
    else:  # each finding of each image is one prediction
        confidence, right = answers.probabilities.ravel(), answers.shown.ravel()
        before = answers.uncalibrated.ravel()
    bins = reliability_bins(before, right) if answers.decides else []
    return reliability_picture(entry.mark, reliability_bins(confidence, right), bins)


def _coverage(data: ValidationData, pairs: _Pairs) -> str:
    curves = (
        (entry, coverage_error_curve(answers.confidence, answers.right), marks)
        for entry, answers in pairs
        for marks in [coverage_points(answers, data)]
    )
    return coverage_picture(_drawn(curves))
