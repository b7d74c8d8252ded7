"""Non-inferiority by a paired interval and a margin."""

from __future__ import annotations

import msgspec
import pytest
from bench_results import POLICY, sample_result

from edgekd.bench.compare.margin import margin_of, margin_state, with_margins
from edgekd.bench.result import Estimate, TeacherComparison


@pytest.mark.parametrize(
    ("low", "high", "state"),
    [
        (-0.05, 0.10, "not-inferior"),  # the margin itself may be lost
        (-0.0501, 0.10, "not-shown"),
        (-0.90, 0.90, "not-shown"),  # a wide interval shows nothing
        (-0.20, -0.05, "not-shown"),
        (-0.20, -0.0501, "inferior"),
    ],
)
def test_states(low, high, state):
    assert margin_state(low, high, 0.05) == state


def compared(**deltas: Estimate) -> TeacherComparison:
    return TeacherComparison(deltas=deltas)


def test_the_margin_is_that_of_the_bundles_policy():
    delta = Estimate(value=-0.06, low=-0.08, high=-0.04)
    comparison = TeacherComparison(balanced_accuracy_delta=delta)
    generous = msgspec.structs.replace(POLICY, name="generous", margin=0.1)
    margin = margin_of(comparison, generous, POLICY)
    assert (margin.state, margin.policy, margin.margin) == ("not-inferior", "generous", 0.1)
    assert margin_of(comparison, None, POLICY).state == "not-shown"


def test_a_policy_without_a_margin_takes_the_default():
    delta = Estimate(value=0.0, low=-0.01, high=0.01)
    silent = msgspec.structs.replace(POLICY, name="silent", margin=None)
    margin = margin_of(TeacherComparison(balanced_accuracy_delta=delta), silent, POLICY)
    assert margin.policy == POLICY.name


def test_a_metric_of_the_tasks_own_can_have_the_margin():
    policy = msgspec.structs.replace(POLICY, metric="fit", margin=0.5)
    good = Estimate(value=0.1, low=-0.4, high=0.6)
    assert margin_of(compared(fit=good), None, policy).state == "not-inferior"


def test_no_interval_is_no_state():
    assert margin_of(compared(), None, POLICY) is None
    alone = TeacherComparison(balanced_accuracy_delta=Estimate(value=0.1))
    assert margin_of(alone, None, POLICY) is None


def test_results_without_margins_get_those_of_a_policy():
    result = sample_result()
    rows = [
        msgspec.structs.replace(
            row, vs_teacher=msgspec.structs.replace(row.vs_teacher, margin=None)
        )
        if row.vs_teacher
        else row
        for row in result.rows
    ]
    old = msgspec.structs.replace(result, rows=rows, policy=None)
    strict = msgspec.structs.replace(POLICY, name="strict", margin=0.001)
    states = {row.vs_teacher.margin.policy for row in with_margins(old, strict).rows[1:]}
    assert states == {"strict"}
    # What a result records is not replaced.
    kept = {row.vs_teacher.margin.policy for row in with_margins(result, strict).rows[1:]}
    assert kept == {POLICY.name}
