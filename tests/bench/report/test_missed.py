"""The first screen: sentences made from known numbers."""

from __future__ import annotations

import msgspec
from bench_results import full_result

from edgekd.bench.report.marked_rows import marked_rows_of
from edgekd.bench.report.missed import (
    ReportedValidation,
    missed_sentences,
    validations_by_result,
)
from edgekd.bench.report.page import render_page
from edgekd.bench.result import ClassMetrics, Decisions, Estimate, PolicyFacts, Result, ResultRow


def share(value: float, low: float, high: float) -> Estimate:
    return Estimate(value=value, low=low, high=high)


def row_of(result: Result, **changes: object) -> ResultRow:
    row = next(each for each in result.rows if each.role == "artefact" and each.metrics)
    assert row.metrics is not None
    classes = {
        "mel": ClassMetrics(sensitivity=share(0.9, 0.8, 0.96), specificity=share(1, 1, 1), n=60),
        "nv": ClassMetrics(sensitivity=share(0.5, 0.4, 0.6), specificity=share(1, 1, 1), n=100),
    }
    metrics = msgspec.structs.replace(row.metrics, per_class=classes)
    decisions = Decisions(
        answered=share(0.8, 0.7, 0.9), referred=share(0.15, 0.1, 0.2), retaken=share(0.05, 0, 0.1)
    )
    return msgspec.structs.replace(row, **({"metrics": metrics, "decisions": decisions} | changes))


def sentences(**changes: object) -> list[str]:
    result = full_result()
    found = missed_sentences(row_of(result, **changes), result)
    return [each.replace("\N{NO-BREAK SPACE}", " ").replace("\N{EN DASH}", "-") for each in found]


def test_critical_classes_and_the_decision() -> None:
    assert sentences() == [
        "Of 60 images of mel, 6 are not named so (10.0 %, 95 % interval 4.0-20.0), whatever the "
        "decision.",
        "Of all 360 images it refers 15.0 %, 95 % interval 10.0-20.0; 5.0 %, 95 % interval "
        "0.0-10.0 are to be taken again.",
    ]


def test_without_a_critical_class_the_one_that_is_missed_most() -> None:
    result = full_result()
    plain = PolicyFacts(name="none", sha256="0")
    row = row_of(result, policy=plain)
    bare = msgspec.structs.replace(result, policy=plain, rows=[row])
    assert next(missed_sentences(row, bare)).startswith("Of 100 images of nv, 50 are not named so")


def test_what_was_not_measured_is_not_known() -> None:
    assert sentences(metrics=None) == ["Accuracy was not measured: what it misses is not known."]
    assert sentences(role="student", decisions=None)[1:] == [
        "It has no decision and refers no image."
    ]


def test_the_page_begins_with_it_and_has_the_validation_of_the_right_result() -> None:
    first, second = full_result(), msgspec.structs.replace(full_result(), created="later")
    known = ReportedValidation(
        sentences={first.rows[-1].name: ["all melanomas are named."]},
        warnings=["3 images are not new."],
        pictures=lambda marked: [(each.mark.letter, "<svg></svg>") for each in marked],
    )
    entries = marked_rows_of([first, second])
    found = validations_by_result(entries, [first, second], [None, known])
    (key,) = found
    assert next(e.result.created for e in entries if id(e.result) == key) == "later"
    html = render_page([second], validations=[known])
    assert html.index('id="missed"') < html.index('id="overview"') < html.index('id="limits"')
    assert "All melanomas are named." in html
    assert "3 images are not new." in html
    assert html.count("<svg></svg>") == len(second.rows)
    assert "<svg></svg>" not in render_page([second])
