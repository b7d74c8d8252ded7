"""The tables of the guidelines: which topic stands where, and what of it is open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edgekd.dossier.facts import DossierFacts
from edgekd.dossier.guidelines import Guideline, guidelines, open_parts
from edgekd.dossier.questions import all_questions

__all__ = ["item_lines"]

_EVIDENCE = {
    "manifest": "what the bundle says of itself",
    "people": "demographics of the parts",
    "reference": "how diagnoses were made",
    "validation": "an external validation on new images",
    "subgroups": "subgroups of an external validation",
}


def item_lines(facts: DossierFacts, numbers: Mapping[str, int]) -> Iterator[str]:
    """A table for each guideline.

    Args:
        facts: The facts.
        numbers: Number of each chapter by its key.
    """
    yield (
        "A topic is *here* where this dossier answers it, and *open* where the hospital has to. "
        "Being here is no assessment of its content: that is for the reviewer."
    )
    for guideline in guidelines():
        yield ""
        yield f"### {guideline.key}"
        yield ""
        yield f"{guideline.title}. {guideline.source}. Wording: {guideline.wording}."
        yield ""
        yield from _table(guideline, facts, numbers)


def _table(guideline: Guideline, facts: DossierFacts, numbers: Mapping[str, int]) -> Iterator[str]:
    parts = any(topic.part for topic in guideline.topics)
    yield f"|{' part |' if parts else ''} topic | chapter | state |"
    yield f"|{'---|' if parts else ''}---|---|---|"
    for topic in guideline.topics:
        lacking = open_parts(topic, facts.evidence, facts.answers)
        state = f"**open**: {', '.join(map(_name, lacking))}" if lacking else "here"
        part = f" {topic.part} |" if parts else ""
        yield f"|{part} {topic.name} | {numbers[topic.chapter]} | {state} |"


def _name(missing: str) -> str:
    """A question's title for people, or the kind of evidence."""
    questions = all_questions()
    if missing in questions:
        return f"{questions[missing].title.lower()} (`{missing}`)"
    return _EVIDENCE[missing]
