"""What is missed and what is referred, in sentences made from the numbers: the first screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgekd.bench.report.columns import policy_of
from edgekd.bench.report.formats import PERCENT, interval, percent
from edgekd.bench.report.marked_rows import MarkedRow
from edgekd.bench.result import ClassMetrics, Estimate, PolicyFacts, Result, ResultRow
from edgekd.bench.task import policy_order

__all__ = ["ReportedValidation", "missed_blocks", "missed_sentences", "validations_by_result"]


@dataclass(frozen=True)
class ReportedValidation:
    """What a page shows of an external validation, beside its result.

    Attributes:
        sentences: What each row misses and refers, by its name.
        warnings: What a reader has to know before: images that were not new, classes without any.
        pictures: Draws title and SVG of each picture, from the rows with their marks.
    """

    sentences: Mapping[str, Sequence[str]] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    pictures: Callable[[Sequence[MarkedRow]], Sequence[tuple[str, str]]] = lambda entries: ()


def validations_by_result(
    entries: Sequence[MarkedRow],
    results: Sequence[Result],
    validations: Sequence[ReportedValidation | None],
) -> dict[int, ReportedValidation]:
    """The validation of each result as it is presented, by its identity.

    Args:
        entries: The rows of all results.
        results: The results that they were made from, in the same order.
        validations: One for each of these; empty for none at all.
    """
    presented = list({id(entry.result): None for entry in entries})
    known = [each for result, each in zip(results, validations, strict=False) if result.rows]
    return {key: each for key, each in zip(presented, known, strict=False) if each is not None}


def missed_blocks(
    blocks: Sequence[Mapping[str, Any]], validations: Mapping[int, ReportedValidation]
) -> list[dict[str, Any]]:
    """For each device the rows that a device runs, or all rows where none is, with sentences."""
    return [_block(block, validations.get(id(block["result"]))) for block in blocks]


def _block(block: Mapping[str, Any], validation: ReportedValidation | None) -> dict[str, Any]:
    rows = _first(block["entries"])
    return {
        "place": block["place"],
        "warnings": validation.warnings if validation is not None else (),
        "rows": [(entry, _sentences(entry, validation)) for entry in rows],
    }


def _first(entries: Sequence[MarkedRow]) -> list[MarkedRow]:
    return [entry for entry in entries if entry.row.role == "artefact"] or list(entries)


def _sentences(entry: MarkedRow, validation: ReportedValidation | None) -> list[str]:
    known = validation.sentences.get(entry.row.name) if validation is not None else None
    if known:
        return list(known)
    return list(missed_sentences(entry.row, entry.result))


def missed_sentences(row: ResultRow, result: Result) -> Iterator[str]:
    """What a row names wrongly of the classes that the policy names, and what it refers."""
    if row.metrics is None:
        yield "Accuracy was not measured: what it misses is not known."
        return
    policy, per_class = policy_of(result), row.metrics.per_class
    for name in _named(per_class, policy):
        yield _missed(name, per_class[name])
    if row.decisions is None:
        if row.role != "artefact":
            yield "It has no decision and refers no image."
        return
    referred, again = (_share(each) for each in (row.decisions.referred, row.decisions.retaken))
    yield f"Of all {result.data.n:,} images it refers {referred}; {again} are to be taken again."


def _named(per_class: Mapping[str, ClassMetrics], policy: PolicyFacts) -> list[str]:
    """Classes that the policy names, else the one that is missed most."""
    first = {name.casefold() for name in policy.first}
    values = {name: each.sensitivity.value for name, each in per_class.items()}
    known = {name: value for name, value in values.items() if value is not None}
    named = [name for name in known if name in policy.critical or name.casefold() in first]
    if named:
        return policy_order(named, policy)
    return [min(known, key=lambda name: known[name])] if known else []


def _missed(name: str, metrics: ClassMetrics) -> str:
    """Of 60 images of mel, 5 are not named so (8.3 %, …), whatever the decision."""
    estimate = metrics.sensitivity
    value = estimate.value or 0.0
    low, high = (None if each is None else 1 - each for each in (estimate.high, estimate.low))
    count = round(metrics.n * (1 - value))
    verb = "is" if count == 1 else "are"
    number = f"{count:,}" if count else "none"
    share = _share(Estimate(value=1 - value, low=low, high=high))
    images = f"{metrics.n:,} image{'s' if metrics.n != 1 else ''} of {name}"
    return f"Of {images}, {number} {verb} not named so ({share}), whatever the decision."


def _share(estimate: Estimate) -> str:
    bounds = interval(estimate)
    middle = f", 95{PERCENT} interval {bounds}" if bounds else ""
    return f"{percent(estimate.value)}{PERCENT}{middle}"
