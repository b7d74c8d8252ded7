"""The chapter on an external validation, from the result of `edgekd eval`."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from edgekd.bench.report.columns import columns_of, policy_of
from edgekd.bench.report.formats import estimate_with_unit, percent_interval
from edgekd.bench.task import policy_order
from edgekd.dossier.facts import ExternalFacts
from edgekd.dossier.markup import OPEN
from edgekd.evaluation.pictures.decisions import PARTS
from edgekd.evaluation.section_figures import SectionFigures, section_figures
from edgekd.evaluation.sentences import (
    absent_sentence,
    gap_sentence,
    label_sentences,
    leak_sentence,
    model_sentences,
)
from edgekd.lower.evidence.data_table import markdown_cell

__all__ = ["external_lines", "external_pictures"]

_MOST_GAPS = 12


def external_lines(external: ExternalFacts) -> Iterator[str]:
    """The chapter's Markdown; what is missing begins with `OPEN`."""
    data, created = external.result.data, external.result.created[:10]
    groups = f" of {data.groups:,} groups" if data.groups else ""
    yield (
        f"{data.n:,} images{groups} of {markdown_cell(data.name)}, SHA-256 of contents and labels "
        f"{data.sha256[:12]}, measured {created}."
    )
    yield ""
    yield _news(external)
    yield ""
    yield from (f"- {_plain(text)}" for text in _sentences(external))
    yield ""
    yield from _outcomes(external)
    yield ""
    yield from _subgroups(external)
    yield ""
    yield from _metrics(external)


def external_pictures(external: ExternalFacts) -> list[tuple[str, str]]:
    """Title and SVG of each picture of this bundle, without the other models of the result."""
    rows = [row for row in external.result.rows if row.name == external.model.name]
    drawn: SectionFigures = section_figures(
        msgspec.structs.replace(external.result, rows=rows),
        msgspec.structs.replace(external.section, models=[external.model]),
    )
    (decisions,), (confusion,) = drawn.decisions, drawn.confusions
    pictures = [("Decisions by class", decisions)]
    pictures += [("Confusion matrix, true classes in rows", confusion)] if confusion else []
    return [*pictures, *drawn.subgroups]


def _news(external: ExternalFacts) -> str:
    """Whether the images are new to the bundle; external validation is nothing without it."""
    leaks = external.leaks
    if external.external:
        return "None of the images was used to make the bundle, by the bytes of their files."
    if leaks is None:
        return f"{OPEN}whether the images are new to the bundle: the result does not say it"
    sentence = leak_sentence(leaks, external.result.data.n)
    return f"{OPEN}images that are new to the bundle: {_plain(sentence)}"


def _sentences(external: ExternalFacts) -> Iterator[str]:
    yield from model_sentences(external.model, policy_of(external.result))
    if absent := absent_sentence(external.section):
        yield absent
    yield from label_sentences(external.section)


def _outcomes(external: ExternalFacts) -> Iterator[str]:
    policy, model = policy_of(external.result), external.model
    heads = [f"{words}, %" for _, _, words in PARTS]
    yield f"| class | images | {' | '.join(heads)} |"
    yield f"|---|---|{'---|' * len(heads)}"
    for name in policy_order(list(model.outcomes), policy):
        outcome = model.outcomes[name]
        shares = [getattr(outcome, key) for key, _, _ in PARTS]
        cells = " | ".join(f"{each.count:,}: {percent_interval(each)}" for each in shares)
        yield f"| {markdown_cell(name)} | {outcome.images:,} | {cells} |"
    yield ""
    yield "Number of images, then their share of the class with its 95 % interval."


def _subgroups(external: ExternalFacts) -> Iterator[str]:
    model = external.model
    if not model.gaps:
        yield f"{OPEN}subgroups: none were measured (`edgekd eval --by sex,age,…`)"
        return
    yield from ("### Subgroups", "")
    for attribute in model.attributes:
        counts = [f"{markdown_cell(each.name)} {each.images:,}" for each in attribute.subgroups]
        yield f"- {markdown_cell(attribute.name)}: {', '.join(counts)} images"
    yield ""
    yield (
        "The most certain difference of each column and measure; the 95 % intervals hold for all "
        f"{model.comparisons:,} pairs of subgroups together:"
    )
    yield ""
    for gap in model.gaps[:_MOST_GAPS]:
        certain = "certain" if gap.shown else "not certain"
        yield f"- {certain}: {_plain(gap_sentence(gap))}"


def _metrics(external: ExternalFacts) -> Iterator[str]:
    result = external.result
    row = next(row for row in result.rows if row.name == external.model.name)
    columns = columns_of([result])
    yield "| metric of the answers, whatever the decision | value, 95 % interval |"
    yield "|---|---|"
    for column in (*columns.headline, *columns.details):
        estimate = column.estimate(row.metrics)
        if estimate is not None and estimate.value is not None:
            yield f"| {markdown_cell(column.title)} | {estimate_with_unit(estimate, column)} |"
    for name, values in external.model.values.items():
        at = f"{markdown_cell(name)} at a prevalence of {values.prevalence:.3g}"
        yield f"| positive predictive value, {at}, % | {percent_interval(values.positive)} |"
        yield f"| negative predictive value, {at}, % | {percent_interval(values.negative)} |"


def _plain(sentence: str) -> str:
    """A sentence with names from tables in it, which may hold Markdown."""
    return markdown_cell(sentence.replace("\N{NO-BREAK SPACE}", " "))
