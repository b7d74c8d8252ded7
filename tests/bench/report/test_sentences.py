"""Sentences that compare an artefact with its teacher."""

from __future__ import annotations

import msgspec
from bench_results import sample_result

from edgekd.bench.report.columns import columns_of
from edgekd.bench.report.formats import DASH, delta_points, speedup
from edgekd.bench.report.sentences import row_sentences
from edgekd.bench.result import Estimate
from edgekd.bench.task import MetricColumn


def sentences_of(row, result):
    return row_sentences(row, result, columns_of([result]).headline)


def test_speed_against_a_teacher_with_flagged_times_is_marked():
    result = sample_result()
    rows = [msgspec.structs.replace(result.rows[0], valid=False), *result.rows[1:]]
    doubtful = msgspec.structs.replace(result, rows=rows)
    assert (speedup(rows[2], result), speedup(rows[2], doubtful)) == ("20×", "20×!")
    assert speedup(rows[4], doubtful) == DASH
    assert "flagged below" in sentences_of(rows[2], doubtful)[0]


def test_row_sentences():
    result = sample_result()
    lead, accuracy, melanoma, agreement = sentences_of(result.rows[3], result)
    assert lead.startswith("1.20 ms per image, 34× as fast")
    assert "flagged" in lead
    assert "% interval −" in accuracy.replace("\N{NO-BREAK SPACE}", "")
    assert melanoma.startswith("Sensitivity for mel 73.3")
    assert "teacher" in melanoma
    assert "360 images" in agreement
    assert sentences_of(result.rows[4], result)[0].endswith("speed not measured.")


def test_a_floor_that_is_not_met_is_the_last_sentence():
    result = sample_result()
    row = msgspec.structs.replace(result.rows[3], research=True, below_floors=["answered: 0.2"])
    assert sentences_of(row, result)[-1] == "For research, floor not met: answered: 0.2."


def test_points_of_a_difference():
    kappa = MetricColumn("quadratic_kappa", "Quadratic kappa", "κ²")
    row = sample_result().rows[2]
    delta = Estimate(value=-0.2, low=-0.3, high=-0.1)
    versus = msgspec.structs.replace(row.vs_teacher, quadratic_kappa_delta=delta)
    assert delta_points(msgspec.structs.replace(row, vs_teacher=versus), kappa) == (
        "−20.0 (−30.0 to −10.0)"
    )
