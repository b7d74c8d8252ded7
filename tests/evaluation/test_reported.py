"""What the report of measurements shows of a validation."""

from __future__ import annotations

import msgspec
from scripted import mixed

from edgekd.bench.report.marked_rows import marked_rows_of
from edgekd.evaluation.reported import reported_validation


def test_sentences_by_row_and_pictures() -> None:
    result = mixed().result
    reported = reported_validation(result)
    assert reported is not None
    assert list(reported.sentences) == [row.name for row in result.rows]
    assert reported.sentences["rpi int8"][0].startswith("Of 80 images of mel, ")
    titles = [title for title, _ in reported.pictures(marked_rows_of([result]))]
    assert titles[0] == "Decisions by class: rpi int8"
    assert "Sensitivity for mel" in titles
    assert reported.warnings == []


def test_a_result_without_a_validation_has_none() -> None:
    assert reported_validation(msgspec.structs.replace(mixed(60).result, validation=None)) is None
