"""The state of a row: a tick only where the margin is shown to be kept."""

from __future__ import annotations

import msgspec
import pytest
from bench_results import POLICY, sample_result

from edgekd.bench.compare.margin import margin_of
from edgekd.bench.report.states import (
    margin_lines,
    margin_state,
    research_state,
    summary,
    time_state,
    weaker_classes,
)
from edgekd.bench.result import Estimate


def with_delta(low, high):
    row = sample_result().rows[2]
    delta = Estimate(value=(low + high) / 2, low=low, high=high)
    versus = msgspec.structs.replace(row.vs_teacher, balanced_accuracy_delta=delta)
    versus = msgspec.structs.replace(versus, margin=margin_of(versus, None, POLICY))
    return msgspec.structs.replace(row, vs_teacher=versus)


@pytest.mark.parametrize(
    ("low", "high", "kind", "text"),
    [
        (-0.04, 0.01, "good", "not inferior to teacher"),
        (-0.04, -0.01, "good", "not inferior to teacher"),  # a loss, within the margin
        (-0.30, 0.30, "doubt", "not shown either way"),  # a wide interval is no pass
        (-0.06, 0.02, "doubt", "not shown either way"),
        (-0.30, -0.06, "bad", "inferior to teacher"),
    ],
)
def test_three_states_by_the_margin(low, high, kind, text):
    assert margin_state(with_delta(low, high)) == (kind, text)


def test_a_row_that_was_not_compared_has_no_state():
    assert margin_state(sample_result().rows[0]) == ("none", "not compared")
    bare = msgspec.structs.replace(sample_result().rows[2], metrics=None)
    assert margin_state(bare) == ("none", "accuracy not measured")


def test_times():
    rows = sample_result().rows
    assert [time_state(row).kind for row in rows[2:]] == ["good", "doubt", "none"]


def test_a_bundle_below_a_floor_is_marked():
    row = sample_result().rows[2]
    assert research_state(row) is None
    marked = research_state(msgspec.structs.replace(row, research=True))
    assert marked == ("bad", "for research, floor not met")
    sentences = ["not certified: another file"]
    uncertified = msgspec.structs.replace(row, research=True, below_floors=sentences)
    assert research_state(uncertified) == ("bad", "for research, not certified")


def test_classes_below_the_teachers_interval_are_named_in_the_policys_order():
    teacher, *_, pi = sample_result().rows
    assert weaker_classes(pi, teacher, POLICY) == ["mel", "bkl"]
    upper = msgspec.structs.replace(POLICY, first=["BKL"])
    assert weaker_classes(pi, teacher, upper) == ["bkl", "mel"]
    assert weaker_classes(teacher, teacher, POLICY) == weaker_classes(pi, None, POLICY) == []


def test_summary_counts_the_artefacts():
    rows = [with_delta(-0.04, 0.0), with_delta(-0.3, 0.3), with_delta(-0.3, -0.1)]
    rows[2] = msgspec.structs.replace(rows[2], research=True)
    assert summary(rows) == (
        "Of 3 files: 1 not inferior to the teacher, 1 inferior to the teacher, 1 not shown either "
        "way, 1 for research, floor not met. Times: 3 valid."
    )
    assert summary(sample_result().rows[:2]) == ""


def test_one_line_for_each_margin():
    (line,) = margin_lines([with_delta(-0.04, 0.0), with_delta(-0.3, 0.3)])
    assert line == (
        "Against the teacher, margin 0.05 of balanced accuracy (dermoscopy): "
        "not inferior: cpu fp32; not shown either way: cpu fp32."
    )
