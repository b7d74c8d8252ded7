"""The pictures that need the section of a validation alone: they can be drawn from its file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgekd.bench.report.columns import policy_of
from edgekd.bench.report.marked_rows import MarkedRow, marked_rows_of
from edgekd.bench.result import Result
from edgekd.bench.task import policy_order
from edgekd.evaluation.document import ModelValidation, Share, SubgroupShares, Validation
from edgekd.evaluation.pictures import (
    SubgroupLine,
    confusion_picture,
    decisions_picture,
    subgroup_picture,
)
from edgekd.evaluation.sentences import first_classes

__all__ = ["SectionFigures", "section_figures"]

_ShareOf = Callable[[SubgroupShares], Share | None]


@dataclass(frozen=True)
class SectionFigures:
    """The pictures as SVG elements.

    Attributes:
        entries: The rows of the result with their marks.
        decisions: Decisions by class, of each model.
        confusions: The confusion matrix of each model; None where images show several classes.
        subgroups: Title and picture of each share that is compared between subgroups.
    """

    entries: list[MarkedRow]
    decisions: list[str]
    confusions: list[str | None]
    subgroups: list[tuple[str, str]]


def section_figures(
    result: Result, section: Validation, entries: Sequence[MarkedRow] | None = None
) -> SectionFigures:
    """Draw them.

    Args:
        result: The result; each of its rows is a model of the section.
        section: Its section.
        entries: The rows with the marks of a page that has other results too; None marks them.
    """
    entries = marked_rows_of([result]) if entries is None else list(entries)
    models, policy = section.models, policy_of(result)
    names = policy_order(list(models[0].outcomes), policy)
    return SectionFigures(
        entries=entries,
        decisions=[
            decisions_picture({name: model.outcomes[name] for name in names}) for model in models
        ],
        confusions=[_confusion(model) for model in models],
        subgroups=_subgroups(models, entries, first_classes(models[0], policy)),
    )


def _confusion(model: ModelValidation) -> str | None:
    confusion = model.confusion
    if confusion is None:
        return None
    if model.decides:
        return confusion_picture(confusion.counts, confusion.columns)
    return confusion_picture(confusion.answers, list(confusion.answers))


def _subgroups(
    models: Sequence[ModelValidation], entries: Sequence[MarkedRow], names: Sequence[str]
) -> list[tuple[str, str]]:
    """Sensitivity for the classes that the policy names, and for others with a certain gap."""
    if not models[0].attributes:
        return []
    gaps = [gap.member for model in models for gap in model.gaps if gap.shown and gap.member]
    measures: list[tuple[str, _ShareOf]] = [
        (f"Sensitivity for {name}", _sensitivity_for(name))
        for name in dict.fromkeys([*names, *gaps])
    ]
    if any(model.decides for model in models):
        measures.append(("Without an answer", lambda each: each.not_answered))
    pictures = ((title, _lines(models, entries, share)) for title, share in measures)
    return [(title, subgroup_picture(title, lines)) for title, lines in pictures if lines]


def _sensitivity_for(name: str) -> _ShareOf:
    return lambda each: each.sensitivity.get(name)


def _lines(
    models: Sequence[ModelValidation],
    entries: Sequence[MarkedRow],
    share: _ShareOf,
) -> list[SubgroupLine]:
    """A line for each subgroup in which some model has such images."""
    lines = []
    for place, attribute in enumerate(models[0].attributes):
        for number, subgroup in enumerate(attribute.subgroups):
            shares = [
                (entry.mark, share(model.attributes[place].subgroups[number]))
                for entry, model in zip(entries, models, strict=True)
            ]
            if any(each is not None for _, each in shares):
                lines.append(SubgroupLine(attribute.name, subgroup.name, shares))
    return lines
