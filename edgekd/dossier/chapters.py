"""The chapters of a dossier, as Markdown; what is not known is said to be open."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from edgekd.bundle.policy import words_of
from edgekd.dossier.external import external_lines
from edgekd.dossier.facts import DossierFacts
from edgekd.dossier.items import item_lines
from edgekd.dossier.limits import limit_lines
from edgekd.dossier.markup import OPEN
from edgekd.dossier.questions import Question, question_chapters
from edgekd.lower.evidence.data_table import markdown_cell, part_table

__all__ = ["Chapter", "chapters", "open_items"]

_TITLES = {
    "model": "How the model was made",
    "decision": "Decision, and photos to be taken again",
    "external": "External validation",
    "items": "Where reviewers find their items",
}
_ORDER = (
    "use", "device", "data", "reference", "acquisition", "model", "decision", "performance",
    "external", "risk", "oversight", "contact", "items",
)  # fmt: skip


@dataclass(frozen=True)
class Chapter:
    """One chapter.

    Attributes:
        key: A short name, which is also its anchor.
        title: Its heading.
        lines: Its Markdown.
    """

    key: str
    title: str
    lines: tuple[str, ...]

    @property
    def open(self) -> list[str]:
        """What is open in it, as Markdown."""
        return [line.removeprefix(OPEN) for line in self.lines if line.startswith(OPEN)]


def chapters(facts: DossierFacts) -> list[Chapter]:
    """All chapters in their order."""
    titles = _TITLES | {chapter.key: chapter.title for chapter in question_chapters()}
    return [
        Chapter(key, f"{number}. {titles[key]}", tuple(_lines_of(key, facts)))
        for number, key in enumerate(_ORDER, 1)
    ]


def open_items(every: Sequence[Chapter]) -> list[tuple[Chapter, str]]:
    """Everything that is open, with its chapter."""
    return [(chapter, text) for chapter in every for text in chapter.open]


def _lines_of(key: str, facts: DossierFacts) -> Iterator[str]:
    yield from _KNOWN[key](facts)
    for chapter in question_chapters():
        if chapter.key == key:
            for question in chapter.questions:
                yield from _answered(question, facts.answers.get(question.key, ()))


def _answered(question: Question, texts: Sequence[str]) -> Iterator[str]:
    yield ""
    if not texts:
        yield f"{OPEN}{question.title}: {question.help} (`{question.key}`)"
    elif len(texts) == 1:
        yield f"**{question.title}.** {markdown_cell(texts[0])}"
    else:
        yield f"**{question.title}.**"
        yield ""
        yield from (f"- {markdown_cell(text)}" for text in texts)


# ---- what the bundle knows ----


def _use(facts: DossierFacts) -> Iterator[str]:
    manifest = facts.manifest
    yield f"Written by the build: {manifest.intended_use or 'nothing.'}"
    yield ""
    names = words_of(manifest.policy).ordered(manifest.model.classes)
    yield f"It names one of these, or refers: {', '.join(map(markdown_cell, names))}."


def _device(facts: DossierFacts) -> Iterator[str]:
    lowering, signature = facts.manifest.lowering, facts.signature
    yield f"- Bundle: SHA-256 {facts.sha256} (of `manifest.json`, which has that of every file)"
    texts = {"none": "none", "not checked": "there is one, which was not checked for this dossier"}
    yield f"- Signature: {texts.get(signature, signature)}"
    yield f"- Made for: {lowering.target}; engine {lowering.backend}, {lowering.precision}"
    yield f"- Written by: edgekd {facts.manifest.version}, format {facts.manifest.format_version}"
    yield ""
    yield "Every component with its version and licence: `edgekd bom`."


def _data(facts: DossierFacts) -> Iterator[str]:
    yield from _body(facts, "data")
    yield ""
    data, words = facts.manifest.data, words_of(facts.manifest.policy)
    if data is None:
        yield f"{OPEN}numbers of each part: the bundle has none; build it again"
        return
    yield from part_table(data, words, counts=True, attributes=facts.of_people)
    yield ""
    yield (
        f"{data.unused:,} images of the data set are in no part."
        if data.unused
        else "Every image of the data set is in one of these parts."
    )
    yield ""
    if facts.of_people:
        yield f"Nothing else is known of the patients than {', '.join(facts.of_people)}."
    else:
        yield f"{OPEN}demographics: nothing is known of the patients (recipe's `data.attributes`)"


def _reference(facts: DossierFacts) -> Iterator[str]:
    data = facts.manifest.data
    if data is None or not facts.of_reference:
        yield (
            f"{OPEN}how each diagnosis was made: no column that says it was kept (`dx_type`, as in "
            "HAM10000, in the recipe's `data.attributes`)"
        )
        return
    yield "Images by how their diagnosis was made, as the data set says:"
    yield ""
    yield from part_table(data, words_of(facts.manifest.policy), attributes=facts.of_reference)


def _acquisition(facts: DossierFacts) -> Iterator[str]:
    model, data = facts.manifest.model, facts.manifest.data
    side = model.image_size
    seen = f"{side} by {side} {model.colour} pixels, by the rule {model.resize}"
    yield f"Every image is seen as {seen}."
    if data is not None and facts.of_acquisition:
        yield ""
        yield from part_table(
            data, words_of(facts.manifest.policy), attributes=facts.of_acquisition
        )


def _model(facts: DossierFacts) -> Iterator[str]:
    yield from _bullets(facts.card["model"])
    for key, title in (("gate", "Lowering"), ("engine", "Engine"), ("layers", "Sensitive layers")):
        if key in facts.card:
            yield from ("", f"### {title}", "", *_body(facts, key))


def _decision(facts: DossierFacts) -> Iterator[str]:
    yield from _body(facts, "decision")
    for key, title in (("policy", "Policy"), ("capture", "Photos that have to be taken again")):
        if key in facts.card:
            yield from ("", f"### {title}", "", *_body(facts, key))
    if "capture" not in facts.card:
        yield from ("", f"{OPEN}photos to be taken again: no limits were fitted")


def _performance(facts: DossierFacts) -> Iterator[str]:
    part = facts.manifest.metrics.get("part", "")
    certificate = facts.manifest.certificate
    if certificate is not None and certificate.earlier is not None:
        yield f"Of this very file, on the {part} part: images that its decision was fitted to, and"
        yield "that the student was not made with. Figures on others stand in the next chapter."
    elif certificate is None or certificate.certified:
        yield f"Of this very file, on the {part} part: images that scored its training's epochs"
        yield "and fitted its decision. Figures on images never seen stand in the next chapter."
    if "certificate" in facts.card:
        yield from ("", "### Certificate", "", *_body(facts, "certificate"))
    for key in ("metrics", "classes"):
        if key in facts.card:
            body = _body(facts, key) if key == "metrics" else facts.card[key]
            yield from ("", *body)


def _external(facts: DossierFacts) -> Iterator[str]:
    if facts.external is None:
        yield (
            f"{OPEN}external validation: none was given (`edgekd eval BUNDLE --csv … --by … --json "
            "OUT`, then `edgekd dossier --result OUT`)"
        )
        return
    yield from external_lines(facts.external)


def _risk(facts: DossierFacts) -> Iterator[str]:
    yield from limit_lines(facts)
    yield ""
    yield from _body(facts, "caveats")


def _oversight(facts: DossierFacts) -> Iterator[str]:
    yield (
        "The bundle refers what it does not know well enough, and wants another photo where one is "
        "not usable; chapter 7 has the limits. Another bundle is compared with this one by "
        "`edgekd diff OLD NEW --plan plan.yaml`."
    )


def _nothing(facts: DossierFacts) -> Iterator[str]:
    yield from ()


def _items(facts: DossierFacts) -> Iterator[str]:
    numbers = {key: number for number, key in enumerate(_ORDER, 1)}
    yield from item_lines(facts, numbers)


_KNOWN: dict[str, Callable[[DossierFacts], Iterator[str]]] = {
    "use": _use,
    "device": _device,
    "data": _data,
    "reference": _reference,
    "acquisition": _acquisition,
    "model": _model,
    "decision": _decision,
    "performance": _performance,
    "external": _external,
    "risk": _risk,
    "oversight": _oversight,
    "contact": _nothing,
    "items": _items,
}


def _body(facts: DossierFacts, key: str) -> list[str]:
    """A section of the card without its heading."""
    return facts.card[key][2:]


def _bullets(lines: Sequence[str]) -> list[str]:
    """The list of a section, and its warnings."""
    warnings = [line for line in lines if line.startswith("**")]
    return [*warnings, *([""] if warnings else []), *(x for x in lines if x.startswith("- "))]
