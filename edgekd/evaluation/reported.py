"""An external validation as the report of measurements shows it."""

from __future__ import annotations

from collections.abc import Iterator

from edgekd.bench.report.columns import policy_of
from edgekd.bench.report.missed import ReportedValidation
from edgekd.evaluation.document import ValidatedResult
from edgekd.evaluation.section_figures import SectionFigures, section_figures
from edgekd.evaluation.sentences import absent_sentence, leak_sentence, model_sentences
from edgekd.evaluation.stored import with_section

__all__ = ["reported_validation"]


def reported_validation(validated: ValidatedResult) -> ReportedValidation | None:
    """Sentences and pictures of a result's validation; None where it has none."""
    pair = with_section(validated)
    if pair is None:
        return None
    result, section = pair
    policy = policy_of(result)
    leaks = [leak_sentence(each, result.data.n) for each in section.leaks]
    return ReportedValidation(
        sentences={each.name: model_sentences(each, policy) for each in section.models},
        warnings=[each for each in (*leaks, absent_sentence(section)) if each],
        pictures=lambda entries: list(_pictures(section_figures(result, section, entries))),
    )


def _pictures(drawn: SectionFigures) -> Iterator[tuple[str, str]]:
    for entry, decisions, confusion in zip(
        drawn.entries, drawn.decisions, drawn.confusions, strict=True
    ):
        yield f"Decisions by class: {entry.label}", decisions
        if confusion is not None:
            yield f"Confusion matrix, true classes in rows: {entry.label}", confusion
    yield from drawn.subgroups
